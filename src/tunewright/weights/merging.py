"""An adapter becomes part of the weights that it was trained beside."""

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tunewright.weights.lora import Adapter, refuse_misfit, unwrap, wrap


def merge(model: PreTrainedModel, adapter: Adapter) -> None:
    """Add what `adapter` does to the weights of `model`, layer by layer in float32; each keeps its
    dtype. Afterwards its layers are plain ones. Raises BadRequest where the adapter is for another
    base."""
    refuse_misfit(model, adapter)
    layers = wrap(model)
    with torch.no_grad():
        for path, (a, b) in adapter.weights.items():
            layer = layers[path].base
            weight = layer.get_parameter("weight")
            delta = adapter.scale(path) * (b.float() @ a.float()).to(weight.device)  # [out, in]
            if isinstance(layer, Conv1D):  # it keeps [in, out]
                delta = delta.T
            weight.copy_(weight.float() + delta)
    unwrap(model)
