"""Estimated seconds of a plan: multiply-adds, weighed by five measured rates of the device."""

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True)
class Rates:
    """Seconds of a forward and a backward pass together.

    call: of a layer, whatever its size. The others are seconds for 1e9 multiply-adds: product in
    linear layers; causal in the attention of plain rows, half of which is not computed; cached in
    that of rows on the cache of a shared prefix; tree in that of a trie, with its mask.
    """

    call: float
    product: float
    causal: float
    cached: float
    tree: float


# For short jobs, and where a measurement makes no sense (`training.speed`). Only their proportions
# matter. cpu: medians of six measurements on a busy core without AVX-512. cuda: call, product and
# causal from the profile of one step on an H200 (Qwen3-0.6B's shape, bfloat16, 16 rows of 468
# tokens); cached and tree are guesses.
RATES = {
    "cpu": Rates(call=6e-3, product=0.18, causal=0.49, cached=0.35, tree=0.255),
    "cuda": Rates(call=4e-3, product=3.5e-5, causal=5e-5, cached=7e-5, tree=1.5e-4),
}


@dataclass(frozen=True)
class Costs:
    """Of one base on one kind of device. layers: how many. Multiply-adds in all layers: token, of
    a token's linear layers; pair, of a query and a key in attention; head, of the logits of a
    supervised token."""

    rates: Rates
    layers: int
    token: int
    pair: int
    head: int

    @classmethod
    def of(cls, model: PreTrainedModel, rates: Rates | None = None) -> "Costs":
        """Counted in `model`; without `rates`, those in the code for its device."""
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
        """Seconds for a plain row of `length` tokens, without the calls, which its micro-batch
        shares."""
        return self.tokens(length) + self._attention(length * length / 2, self.rates.causal)

    def calls(self, count: int) -> float:
        """Seconds that `count` forward passes cost, whatever goes through them."""
        return count * self.layers * self.rates.call

    def tokens(self, count: int) -> float:
        """Seconds for `count` tokens in the linear layers."""
        return count * self.token * self.rates.product / 1e9

    def heads(self, supervised: int) -> float:
        """Seconds for the logits of `supervised` tokens."""
        return supervised * self.head * self.rates.product / 1e9

    def suffixes(self, rows: int, longest: int, shared: int) -> float:
        """Seconds for rows padded to `longest` tokens, on the cache of a prefix of `shared`."""
        pairs = rows * longest * (longest + shared)  # no half is left out here
        return self.tokens(rows * longest) + self._attention(pairs, self.rates.cached)

    def trie(self, nodes: int) -> float:
        """Seconds for a trie of `nodes` tokens as one row."""
        return self.tokens(nodes) + self._attention(nodes * nodes, self.rates.tree)

    def _attention(self, pairs: float, rate: float) -> float:
        return pairs * self.pair * rate / 1e9
