"""The transformer of an embedding model as an ONNX graph, by torch's own exporter."""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tunewright.encoders.backbone import hidden_states
from tunewright.errors import BadRequest

_OPSET = 17
_ROWS, _TIME = 2, 9  # of the example that is traced: any, but more than one
_INPUTS, _OUTPUT = ("input_ids", "attention_mask"), "last_hidden_state"


class _Hidden(nn.Module):
    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return hidden_states(self.model, ids, mask)  # [rows, time, h]


def export(model: PreTrainedModel, file: Path) -> None:
    """Write the graph from ids and mask [rows, time] to hidden states [rows, time, h].

    A model of more than 2 GB leaves its weights in files beside `file`. Raises BadRequest where
    torch cannot express it.
    """
    ids = torch.full((_ROWS, _TIME), 3)
    mask = torch.ones_like(ids)
    mask[1, _TIME // 2 :] = 0  # or the mask would be taken for a constant
    axes = {name: {0: "rows", 1: "time"} for name in (*_INPUTS, _OUTPUT)}
    try:
        with torch.no_grad():
            # The newer exporter needs onnxscript, and wants to know which lengths may come.
            torch.onnx.export(
                _Hidden(model).train(False),
                (ids, mask),
                str(file),
                input_names=list(_INPUTS),
                output_names=[_OUTPUT],
                dynamic_axes=axes,
                opset_version=_OPSET,
                dynamo=False,
            )
    except Exception as error:  # a tracer: whatever it raises
        reason = str(error).strip().splitlines()
        raise BadRequest(
            f"torch cannot write this model as an ONNX graph ({type(error).__name__}: "
            f"{reason[0][:200] if reason else ''})."
        ) from error
