"""torch and transformers for a process of ours, in one."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc
import sys

from tunewright.weights import libraries

libraries.load()

import torch
from transformers import AutoModelForCausalLM
from transformers.models.llama import modeling_llama

unused = ("torch._inductor", "torch.distributed.tensor", "accelerate", "scipy", "sklearn")
assert not set(unused) & set(sys.modules), set(unused) & set(sys.modules)
assert gc.isenabled()
assert torch.distributed.is_available()  # as our ranks need it

weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.AdamW([weight], lr=0.5, fused=True)  # marks its steps for the compiler
weight.sum().backward()
optimizer.step()
assert (weight < 1).all()
assert "torch._inductor" not in sys.modules

hidden = {"accelerate", "scipy", "sklearn"} & set(sys.modules)
assert not hidden, hidden  # for others they are as they were
import torch._dynamo.config  # whoever wants to compile gets the real one, and only one

assert torch.compile(lambda x: x * 2 + 1, backend="eager")(torch.ones(1)).item() == 3
assert torch._dynamo is sys.modules["torch._dynamo"]
assert torch._dynamo.config is sys.modules["torch._dynamo.config"]
"""


# A part of torch that another version lacks.
OTHER = """
import sys

from tunewright.weights import libraries

libraries._NAMED = "torch._dynamo.of_another_version"
libraries.load()

import torch
from transformers import AutoModelForCausalLM
from transformers.models.llama import modeling_llama

assert torch.compile(lambda x: x * 2 + 1, backend="eager")(torch.ones(1)).item() == 3
"""


@pytest.mark.parametrize("program", [PROGRAM, pytest.param(OTHER, marks=pytest.mark.slow)])
def test_the_compiler_stays_out_until_somebody_compiles(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
