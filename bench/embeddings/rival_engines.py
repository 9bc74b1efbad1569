"""The rivals of `engines.py`, each in a process of its own, in an environment without Tunewright.

    python rival_engines.py NAME MODEL TEXTS

TEXTS: a JSON file with a list. Then each line of the standard input, ``BATCH_SIZE COUNT [FILE]``,
embeds the first COUNT texts in such batches and answers with the seconds of the processor that it
took; the vectors go to FILE (.npy). One thread.
"""

import csv
import json
import os
import shutil
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
QUICK = "onnx/model_qint8_avx512_vnni.onnx"
STATIC = "openvino/openvino_model_qint8_quantized.xml"


def sentence_transformers(model, backend=None, **told):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    if backend:
        told = {"backend": backend, "model_kwargs": told}
    return SentenceTransformer(str(model), device="cpu", **told)


def torch_fp32(model):
    found = sentence_transformers(model)
    return lambda texts, size: found.encode(texts, batch_size=size, show_progress_bar=False)


def onnx_int8(model):
    """As its page says: dynamic, for VNNI."""
    import onnxruntime
    from sentence_transformers.backend import export_dynamic_quantized_onnx_model

    provider = "CPUExecutionProvider"
    if not (model / QUICK).exists():
        whole = sentence_transformers(model, "onnx", export=True, provider=provider)
        whole.save_pretrained(str(model))
        export_dynamic_quantized_onnx_model(whole, "avx512_vnni", str(model))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    found = sentence_transformers(
        model, "onnx", file_name=QUICK, provider=provider, session_options=options
    )
    return lambda texts, size: found.encode(texts, batch_size=size, show_progress_bar=False)


def openvino_int8(model):
    """As its page says: static, by NNCF, calibrated on the texts that ours is calibrated on."""
    if not (model / STATIC).exists():
        from optimum.intel import OVQuantizationConfig
        from sentence_transformers.backend import export_static_quantized_openvino_model

        whole = sentence_transformers(model, "openvino", export=True)
        whole.save_pretrained(str(model))
        rows = (model / "calibration.txt").read_text().split("\n")
        (model / "calibration").mkdir(exist_ok=True)
        with (model / "calibration" / "train.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["text"], *([row] for row in rows if row)])
        export_static_quantized_openvino_model(
            whole,
            OVQuantizationConfig(num_samples=100),
            str(model),
            dataset_name=str(model / "calibration"),
            dataset_config_name="default",
            dataset_split="train",
            column_name="text",
        )
    found = sentence_transformers(
        model, "openvino", file_name=STATIC, ov_config={"INFERENCE_NUM_THREADS": 1}
    )
    return lambda texts, size: found.encode(texts, batch_size=size, show_progress_bar=False)


def fastembed(model):
    """Float32: it has no int8 of this model's own weights. It does not sort texts by length, and
    cuts them at 256 tokens here."""
    import numpy as np
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    if not (model / "onnx" / "model.onnx").exists():
        onnx_int8(model)
    place = model / "fastembed"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for file in (*model.glob("*.json"), model / "onnx" / "model.onnx"):
        shutil.copy(file, place / file.name)
    said = json.loads((place / "tokenizer_config.json").read_text())
    said |= {"max_length": 256, "model_max_length": 256}
    (place / "tokenizer_config.json").write_text(json.dumps(said))
    tokenizer = json.loads((place / "tokenizer.json").read_text())
    tokenizer |= {"padding": None, "truncation": None}  # the file pads every text to 128
    (place / "tokenizer.json").write_text(json.dumps(tokenizer))
    TextEmbedding.add_custom_model(
        model="local/minilm",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="local/minilm"),
        dim=384,
        model_file="model.onnx",
    )
    found = TextEmbedding("local/minilm", threads=1, specific_model_path=str(place))
    return lambda texts, size: np.array(list(found.embed(texts, batch_size=size)))


ALL = {each.__name__: each for each in (torch_fp32, onnx_int8, openvino_int8, fastembed)}


def main() -> None:
    import numpy as np

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print what they like
    texts = json.loads(Path(sys.argv[3]).read_text())
    embed = ALL[sys.argv[1]](Path(sys.argv[2]))
    embed(texts[:8], 4)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        size, count, *file = line.split()
        started = time.process_time()
        vectors = embed(texts[: int(count)], int(size))
        took = time.process_time() - started
        if file:
            np.save(file[0], np.asarray(vectors, np.float32))
        print(took, file=answers, flush=True)


if __name__ == "__main__":
    main()
