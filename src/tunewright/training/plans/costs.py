"""What computing takes: counted in multiply-adds, weighed by how fast this kind of device is."""

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True)
class Rates:
    """Seconds of a forward and a backward pass together.

    call: a layer, whatever its size. product, causal, masked: 1e9 multiply-adds in linear layers,
    in attention where no mask is needed, in attention with one. copied: 1e9 numbers of a shared
    cache that are repeated for a row. mask: 1e9 places of a trie's mask.
    """

    call: float
    product: float
    causal: float
    masked: float
    copied: float
    mask: float


# `bench/plans.py` measures them. Only their proportions matter: they choose between plans, and a
# choice may not differ from run to run, or the last bits of the weights would.
RATES = {
    "cpu": Rates(call=1.2e-3, product=0.08, causal=0.25, masked=0.35, copied=6.0, mask=10.0),
    "cuda": Rates(call=2e-4, product=1e-5, causal=2e-5, masked=3e-5, copied=2e-3, mask=5e-3),
}


@dataclass(frozen=True)
class Costs:
    """Of one base on one kind of device. layers: how many; token, pair, head: multiply-adds of a
    token, of two positions of which one sees the other, of a supervised token's logits; cached:
    numbers that the cache keeps of a token."""

    rates: Rates
    layers: int
    token: int
    pair: int
    head: int
    cached: int

    @classmethod
    def of(cls, model: PreTrainedModel) -> "Costs":
        text = model.config.get_text_config(decoder=True)
        head = model.get_output_embeddings()
        linear = (m for m in model.modules() if isinstance(m, nn.Linear | Conv1D) and m is not head)
        heads, layers = text.num_attention_heads, text.num_hidden_layers
        size = getattr(text, "head_dim", None) or text.hidden_size // heads
        keys = getattr(text, "num_key_value_heads", None) or heads
        return cls(
            rates=RATES[model.device.type],
            layers=layers,
            token=sum(layer.get_parameter("weight").numel() for layer in linear),
            pair=2 * layers * heads * size,
            head=text.vocab_size * text.hidden_size,
            cached=2 * layers * keys * size,
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
        copied = rows * shared * self.cached * self.rates.copied / 1e9
        return self.tokens(rows * longest) + self._attention(pairs, self.rates.masked) + copied

    def trie(self, nodes: int) -> float:
        mask = nodes * nodes * self.rates.mask / 1e9
        return self.tokens(nodes) + self._attention(nodes * nodes, self.rates.masked) + mask

    def _attention(self, pairs: float, rate: float) -> float:
        return pairs * self.pair * rate / 1e9
