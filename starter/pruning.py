"""Cut heads and inner neurons out of a transformer, and refit what stays in closed form.

Sublayer by sublayer, in order: those inner parts stay without which least is lost (optimal brain
surgeon: a part's squared weights over its place in the inverse of the features' products), and a
least-squares fit then brings the sublayer's output, from the inputs that the student really has,
to what the teacher has at that place. A few tens of thousands of tokens are enough.
"""

from collections.abc import Sequence

import torch
from starter.student import Attention, FeedForward, Student, Sublayer
from starter.teacher import Teacher, by_length, padded
from torch import Tensor, nn

SMOOTH = 1e-3  # of the mean product, added to the diagonal


class Seen:
    """A batch of passages: the student's state so far, and the teacher's at every sublayer."""

    def __init__(self, teacher: Teacher, ids: list[list[int]]) -> None:
        self.rows, self.mask = padded(ids)
        self.real = self.mask.bool()
        self.before: dict[str, Tensor] = {}
        hooks = []
        for place, layer in enumerate(teacher.model.encoder.layer):
            for part, norm in (("a", layer.attention.output), ("f", layer.output)):
                name = f"{part}{place}"
                hooks.append(norm.LayerNorm.register_forward_pre_hook(self._keep(name)))
        teacher.model(input_ids=self.rows, attention_mask=self.mask)
        for hook in hooks:
            hook.remove()
        self.x = torch.empty(0)

    def _keep(self, name: str):
        def hook(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            self.before[name] = given[0][self.real]

        return hook

    @property
    def hidden(self) -> Tensor | None:
        return None if self.real.all() else (1 - self.mask[:, None, None, :].float()) * -1e9


@torch.no_grad()  # not inference_mode: what it makes is trained later
def fit(
    student: Student, teacher: Teacher, passages: list[list[int]], sizes: dict[str, int]
) -> None:
    """Cut and refit `student`, which has whole sublayers, to `sizes`."""
    seen = [Seen(teacher, [passages[i] for i in batch]) for batch in by_length(passages)]
    for each in seen:
        each.x = student.embedded(each.rows)
    for (name, size), sublayer in zip(sizes.items(), student.parts, strict=True):
        _fit(sublayer, name, size, seen)
        for each in seen:
            each.x = sublayer(each.x, each.hidden)


def _fit(sublayer: Sublayer, name: str, size: int, seen: Sequence[Seen]) -> None:
    part = sublayer.part
    assert isinstance(part, Attention | FeedForward)
    features = [part.inside(each.x, each.hidden)[each.real] for each in seen]
    wanted = [each.before[name] - each.x[each.real] for each in seen]
    last = part.last
    kept = _kept(features, last.weight, part.unit, size)
    part.keep(kept)
    last = part.last
    products = torch.zeros(len(kept) + 1, len(kept) + 1, dtype=torch.float64)
    answers = torch.zeros(len(kept) + 1, last.out_features, dtype=torch.float64)
    for found, target in zip(features, wanted, strict=True):
        chosen = torch.cat([found[:, kept], torch.ones(len(found), 1)], 1)
        products += chosen.T @ chosen
        answers += chosen.T @ (target - last(found[:, kept]))
    change = torch.linalg.solve(_smooth(products), answers).float()
    last.weight += change[:-1].T
    last.bias += change[-1]


def _smooth(products: Tensor) -> Tensor:
    return products + SMOOTH * products.diagonal().mean() * torch.eye(len(products)).double()


def _kept(features: Sequence[Tensor], weight: Tensor, unit: int, size: int) -> Tensor:
    """Which inner places stay, in groups of `unit`."""
    total = sum(each.T @ each for each in features)
    assert isinstance(total, Tensor)
    inverse = torch.linalg.inv(_smooth(total.double()))
    lost = weight.square().sum(0).double() / inverse.diagonal()
    groups = lost.unflatten(0, (-1, unit)).sum(1)
    best = groups.topk(size).indices.sort().values
    return (best[:, None] * unit + torch.arange(unit)).flatten()
