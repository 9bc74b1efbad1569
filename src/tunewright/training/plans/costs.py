"""What computing takes: counted in multiply-adds, weighed by how fast this kind of device is."""

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True)
class Rates:
    """Seconds of a forward and a backward pass together.

    call: a layer, whatever its size. The others 1e9 multiply-adds: product in linear layers; causal
    in the attention of rows, of which half is not computed; cached in that of rows which go on from
    a shared cache; tree in that of a trie, with its mask.
    """

    call: float
    product: float
    causal: float
    cached: float
    tree: float


# For short jobs, and where a measurement makes no sense (`training.speed`). Only their proportions
# matter. cpu: medians of six measurements on a busy core without AVX-512. cuda: guesses.
RATES = {
    "cpu": Rates(call=6e-3, product=0.18, causal=0.49, cached=0.35, tree=0.255),
    "cuda": Rates(call=2e-3, product=2e-5, causal=2e-5, cached=3e-5, tree=4e-5),
}


@dataclass(frozen=True)
class Costs:
    """Of one base on one kind of device. layers: how many; token, pair, head: multiply-adds of a
    token, of two positions of which one sees the other, of a supervised token's logits."""

    rates: Rates
    layers: int
    token: int
    pair: int
    head: int

    @classmethod
    def of(cls, model: PreTrainedModel, rates: Rates | None = None) -> "Costs":
        text = model.config.get_text_config(decoder=True)
        head = model.get_output_embeddings()
        linear = (m for m in model.modules() if isinstance(m, nn.Linear | Conv1D) and m is not head)
        heads, layers = text.num_attention_heads, text.num_hidden_layers
        size = getattr(text, "head_dim", None) or text.hidden_size // heads
        return cls(
            rates=rates or RATES[model.device.type],
            layers=layers,
            token=sum(layer.get_parameter("weight").numel() for layer in linear),
            pair=2 * layers * heads * size,
            head=text.vocab_size * text.hidden_size,
        )

    def alone(self, length: int) -> float:
        """Seconds for a row of its own, without the calls, which it shares with its batch."""
        return self.tokens(length) + self._attention(length * length / 2, self.rates.causal)

    def calls(self, count: int) -> float:
        return count * self.layers * self.rates.call

    def tokens(self, count: int) -> float:
        return count * self.token * self.rates.product / 1e9

    def heads(self, supervised: int) -> float:
        return supervised * self.head * self.rates.product / 1e9

    def suffixes(self, rows: int, longest: int, shared: int) -> float:
        """Seconds for a batch that goes on from a shared beginning."""
        pairs = rows * longest * (longest + shared)
        return self.tokens(rows * longest) + self._attention(pairs, self.rates.cached)

    def trie(self, nodes: int) -> float:
        return self.tokens(nodes) + self._attention(nodes * nodes, self.rates.tree)

    def _attention(self, pairs: float, rate: float) -> float:
        return pairs * self.pair * rate / 1e9
