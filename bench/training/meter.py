"""What a contender took, and what it computed for it."""

import resource
import time
from typing import Any

import torch
from transformers import PreTrainedModel

from training import RANK
from tunewright.training.plans.costs import Costs


class Meter:
    """cpu and wall: seconds from the last start to the last stop. peak: MiB of the process by then.
    forecast: CPU seconds of ours', which is not in them: it computes some gradients before a job.

    operations: additions and multiplications that matrix products and attention cannot do without,
    for the tokens, padding included, that really went through the model. Counting rule: two for a
    multiply-add; a frozen layer's backward takes as many as its forward (the gradient of its input,
    none of its weights), an adapter's twice, attention's twice (what a fused kernel computes again
    is not counted); a mask makes attention compute all pairs, its absence half of them; gradient
    checkpointing adds one forward of the layers. TRL's head on a CPU computes all positions, and
    each of its products a second time on the way back. Torch's FlopCounterMode, which sees the
    products alone, counts 2 % fewer of them: the first layer's inputs have no gradient.
    """

    def __init__(self) -> None:
        self.cpu = self.wall = self.peak = self.operations = 0.0
        self.tokens = 0
        self.forecast: float | None = None
        self._seen = 0
        self._products = 0.0

    def start(self) -> None:
        self._seen, self._products = 0, 0.0
        self._began = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        self.cpu = time.process_time() - self._began[0]
        self.wall = time.perf_counter() - self._began[1]
        self.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.tokens, self.operations = self._seen, 2 * self._products

    def watch(
        self, model: PreTrainedModel, *, again: bool = False, trl: bool = False
    ) -> PreTrainedModel:
        """Count what goes through `model`, which has no adapters yet. again: with checkpointing.
        trl: its head is computed by other means than the module."""
        costs, head = Costs.of(model), model.get_output_embeddings()
        layers = (m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head)
        lora = sum(RANK * (layer.in_features + layer.out_features) for layer in layers)
        passes = 2 + again
        token = costs.token * passes + lora * (passes + 1)

        def through(_: torch.nn.Module, __: Any, given: dict[str, Any]) -> None:
            rows, length = given["input_ids"].shape
            self._seen += rows * length
            self._products += rows * length * token + _pairs(given) * costs.pair * (passes + 1)
            if trl:
                self._products += rows * (length - 1) * costs.head * 3

        def predicted(_: torch.nn.Module, __: Any, logits: torch.Tensor) -> None:
            self._products += logits.numel() / logits.shape[-1] * costs.head * 2

        model.base_model.register_forward_pre_hook(through, with_kwargs=True)
        head.register_forward_hook(predicted)
        return model


def _pairs(given: dict[str, Any]) -> float:
    """Of positions of which attention computes how one sees the other."""
    rows, length = given["input_ids"].shape
    mask, cache = given.get("attention_mask"), given.get("past_key_values")
    before = cache.get_seq_length() if cache is not None else 0
    # transformers leaves a mask without padding away, and makes one where rows stand end to end.
    unmasked = mask is None or (mask.dim() == 2 and bool(mask.all()))
    if unmasked and not before and given.get("position_ids") is None:
        return rows * length * length / 2
    return rows * length * (length + before)


def matmul_peak(dtype: torch.dtype) -> float:
    """Operations a CPU second of matrix products: the most of three square sizes."""
    best = 0.0
    for size, times in ((512, 20), (1024, 4), (2048, 1)):
        one, other = torch.rand(2, size, size).to(dtype)
        one @ other
        for _ in range(3):
            began = time.process_time()
            for _ in range(times):
                one @ other
            best = max(best, times * 2 * size**3 / (time.process_time() - began))
    return best
