"""The student of `builtin-mini`: the sublayers of its teacher that matter most, and a rotation."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

CONTEXT = 512  # tokens of text; [CLS] and [SEP] have places beside them
POSITIONS = CONTEXT + 2


class Attention(nn.Module):
    """`size`: its heads."""

    def __init__(self, width: int, size: int, head: int) -> None:
        super().__init__()
        self.unit = head
        self.qkv = nn.Linear(width, 3 * size * head)
        self.last = nn.Linear(size * head, width)

    def inside(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        parts = self.qkv(x).unflatten(-1, (3, -1, self.unit)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(*parts, attn_mask=hidden)
        return found.transpose(1, 2).flatten(2)

    def keep(self, places: Tensor) -> None:
        inner = self.last.in_features
        three = torch.cat([places, places + inner, places + 2 * inner])
        self.qkv = _linear(self.qkv.weight[three], self.qkv.bias[three])
        self.last = _linear(self.last.weight[:, places], self.last.bias)


class FeedForward(nn.Module):
    """`size`: its inner neurons."""

    unit = 1

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, size)
        self.last = nn.Linear(size, width)

    def inside(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        return functional.gelu(self.up(x))

    def keep(self, places: Tensor) -> None:
        self.up = _linear(self.up.weight[places], self.up.bias[places])
        self.last = _linear(self.last.weight[:, places], self.last.bias)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0])
    made.weight.data.copy_(weight)
    made.bias.data.copy_(bias)
    return made


class Sublayer(nn.Module):
    """A part of a layer, added to what comes in, and then normalised."""

    def __init__(self, part: nn.Module, width: int, epsilon: float) -> None:
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(width, epsilon)

    def forward(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        return self.norm(x + self.part.last(self.part.inside(x, hidden)))


class Student(nn.Module):
    """`sizes`: its sublayers: the heads of a0, the attention of the teacher's layer 0; the neurons
    of f0, its other half.

    Called with ids and mask [n, t]; gives the hidden states [n, t, width], which stand where the
    teacher's do. `turn` [width, width] maps their mean to the vector, the strongest components
    first; `start` is where the teacher's own are mapped.
    """

    def __init__(self, config: BertConfig, sizes: dict[str, int], turn: Tensor) -> None:
        super().__init__()
        width, epsilon = config.hidden_size, config.layer_norm_eps
        head = width // config.num_attention_heads
        self.words = nn.Embedding(config.vocab_size, width)
        self.positions = nn.Embedding(POSITIONS, width)
        self.norm = nn.LayerNorm(width, epsilon)
        self.parts = nn.ModuleList(
            Sublayer(
                Attention(width, size, head) if name[0] == "a" else FeedForward(width, size),
                width,
                epsilon,
            )
            for name, size in sizes.items()
        )
        self.turn = nn.Parameter(turn.clone())
        self.register_buffer("start", turn.clone())

    @classmethod
    def whole(cls, teacher: BertModel, names: Iterable[str], turn: Tensor) -> "Student":
        """The teacher's sublayers of these names, uncut, with its weights."""
        config = teacher.config
        full = {"a": config.num_attention_heads, "f": config.intermediate_size}
        made = cls(config, {name: full[name[0]] for name in names}, turn)
        made._take(teacher, names)
        return made

    @torch.no_grad()
    def _take(self, teacher: BertModel, kept: Iterable[str]) -> None:
        theirs = teacher.embeddings
        self.words.weight.copy_(theirs.word_embeddings.weight)
        places = theirs.position_embeddings.weight + theirs.token_type_embeddings.weight[0]
        self.positions.weight[: len(places)] = places
        self.positions.weight[len(places) :] = places[-1]
        self.norm.load_state_dict(theirs.LayerNorm.state_dict())
        for name, mine in zip(kept, self.parts, strict=True):
            layer = teacher.encoder.layer[int(name[1:])]
            if name[0] == "a":
                _attention(mine, layer.attention)
            else:
                mine.part.up.load_state_dict(layer.intermediate.dense.state_dict())
                mine.part.last.load_state_dict(layer.output.dense.state_dict())
                mine.norm.load_state_dict(layer.output.LayerNorm.state_dict())

    def embedded(self, ids: Tensor) -> Tensor:
        return self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]])

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.embedded(ids)
        full = bool(mask.all())
        hidden = None if full else (1 - mask[:, None, None, :].to(x.dtype)) * -1e9
        for part in self.parts:
            x = part(x, hidden)
        return x


def _attention(mine: Sublayer, theirs: nn.Module) -> None:
    parts = [theirs.self.query, theirs.self.key, theirs.self.value]
    mine.part.qkv.weight.copy_(torch.cat([part.weight for part in parts]))
    mine.part.qkv.bias.copy_(torch.cat([part.bias for part in parts]))
    mine.part.last.load_state_dict(theirs.output.dense.state_dict())
    mine.norm.load_state_dict(theirs.output.LayerNorm.state_dict())
