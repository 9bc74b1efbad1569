"""The tokenizer: byte-level BPE with single digits, learned on a sample of the corpus."""

import argparse
import itertools
from pathlib import Path

from starter.corpus import CHATS, DEFAULT, TEXTS, check, records
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from tunewright.durable import write_bytes

END_OF_TEXT, SYSTEM, USER, ASSISTANT, END = SPECIALS = (
    "<|endoftext|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
)
VOCABULARY = 8192
SAMPLE = 4_000_000  # characters of each family


def _texts(root: Path, family: str):
    """Every third record, up to SAMPLE characters: what people wrote, without control tokens."""
    size = 0
    for record in itertools.islice(records(root, family), 0, None, 3):
        texts = [record["text"]] if "text" in record else [m["content"] for m in record["messages"]]
        yield from texts
        size += sum(map(len, texts))
        if size > SAMPLE:
            return


def train(root: Path) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    # Digits one by one: a small model learns sums digit by digit, not by numbers it rarely saw.
    digits = pre_tokenizers.Digits(individual_digits=True)
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = itertools.chain.from_iterable(_texts(root, family) for family in (*TEXTS, *CHATS))
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=DEFAULT)
    parser.add_argument("--out", type=Path, default=Path("src/tunewright/builtin/chat"))
    args = parser.parse_args()
    check(args.corpus)
    write_bytes(args.out / "tokenizer.json", train(args.corpus).to_str(pretty=True).encode())


if __name__ == "__main__":
    main()
