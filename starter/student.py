"""The student of `builtin-mini`: the sublayers of its teacher that matter most, and a rotation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel

CONTEXT = 512  # tokens of text; [CLS] and [SEP] have places beside them
POSITIONS = CONTEXT + 2


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        parts = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(*parts, attn_mask=hidden)
        return self.out(found.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        return self.down(functional.gelu(self.up(x)))


class Sublayer(nn.Module):
    """A part of a layer, added to what comes in, and then normalised."""

    def __init__(self, part: nn.Module, width: int, epsilon: float) -> None:
        super().__init__()
        self.part = part
        self.norm = nn.LayerNorm(width, epsilon)

    def forward(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        return self.norm(x + self.part(x, hidden))


class Student(nn.Module):
    """`kept`: the teacher's sublayers by name: a0 is the attention of layer 0, f0 its other half.

    Called with ids and mask [n, t]; gives the hidden states [n, t, width], which stand where the
    teacher's do. `turn` [width, width] maps their mean to the vector, the strongest components
    first.
    """

    def __init__(self, teacher: BertModel, kept: Sequence[str], turn: Tensor) -> None:
        super().__init__()
        config = teacher.config
        width, epsilon = config.hidden_size, config.layer_norm_eps
        self.words = nn.Embedding(config.vocab_size, width)
        self.positions = nn.Embedding(POSITIONS, width)
        self.norm = nn.LayerNorm(width, epsilon)
        self.parts = nn.ModuleList(
            Sublayer(
                Attention(width, config.num_attention_heads)
                if name[0] == "a"
                else FeedForward(width, config.intermediate_size),
                width,
                epsilon,
            )
            for name in kept
        )
        self.turn = nn.Parameter(turn.clone())
        self.register_buffer("start", turn.clone())  # where the teacher's vectors are put
        self._take(teacher, kept)

    @torch.no_grad()
    def _take(self, teacher: BertModel, kept: Sequence[str]) -> None:
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
                mine.part.down.load_state_dict(layer.output.dense.state_dict())
                mine.norm.load_state_dict(layer.output.LayerNorm.state_dict())

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]])
        full = bool(mask.all())
        hidden = None if full else (1 - mask[:, None, None, :].to(x.dtype)) * -1e9
        for part in self.parts:
            x = part(x, hidden)
        return x


def _attention(mine: Sublayer, theirs: nn.Module) -> None:
    parts = [theirs.self.query, theirs.self.key, theirs.self.value]
    mine.part.qkv.weight.copy_(torch.cat([part.weight for part in parts]))
    mine.part.qkv.bias.copy_(torch.cat([part.bias for part in parts]))
    mine.part.out.load_state_dict(theirs.output.dense.state_dict())
    mine.norm.load_state_dict(theirs.output.LayerNorm.state_dict())
