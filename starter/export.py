"""Write a checkpoint as the model directory that the package ships."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import save
from starter.model import Llama, Shape
from starter.tokenizer import END, END_OF_TEXT
from tokenizers import Tokenizer

from tunewright.durable import write_bytes, write_json, write_manifest

OUT = Path("src/tunewright/builtin/chat")
CORPUS = "openly licensed English text, 126M characters; see starter/SOURCES.md"


def weights(model: Llama) -> dict[str, torch.Tensor]:
    """bf16 halves the package; the model is evaluated as exported."""
    return {name: tensor.bfloat16().contiguous() for name, tensor in model.state_dict().items()}


def export(model: Llama, shape: Shape, tokens_seen: int, out: Path = OUT) -> None:
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    text_id, end_id = tokenizer.token_to_id(END_OF_TEXT), tokenizer.token_to_id(END)
    stops = {"bos_token_id": text_id, "eos_token_id": [end_id, text_id], "pad_token_id": text_id}
    write_json(out / "config.json", shape.as_llama() | stops | {"dtype": "bfloat16"})
    write_json(out / "generation_config.json", stops)
    write_json(out / "tokenizer_config.json", _tokenizer_config(shape))
    tensors = weights(model)
    write_bytes(out / "model.safetensors", save(tensors, metadata={"format": "pt"}))
    write_manifest(out, about=_about(tensors, tokens_seen))


def _tokenizer_config(shape: Shape) -> dict:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "add_bos_token": False,
        "model_max_length": shape.context,
        "clean_up_tokenization_spaces": False,
    }


def _about(tensors: dict[str, torch.Tensor], tokens_seen: int) -> dict:
    return {
        "name": "builtin-chat",
        "family": "llama",
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
        "tokens_seen": tokens_seen,
        "license": "Apache-2.0",
        "corpus": CORPUS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint of pretrain, or 'random'")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    if str(args.checkpoint) == "random":
        torch.manual_seed(0)
        export(Llama(Shape()), Shape(), 0, args.out)
        return
    state = torch.load(args.checkpoint, weights_only=True)
    layers = 1 + max(int(n.split(".")[2]) for n in state["model"] if ".layers." in n)
    model = Llama(replace(Shape(**state["settings"]["shape"]), layers=layers))
    model.load_state_dict(state["model"])
    export(model, model.shape, state["tokens"], args.out)
    print(f"{args.out}: {state['tokens']:,} tokens seen, {asdict(model.shape)}")


if __name__ == "__main__":
    main()
