"""Which vocabularies OpenAI has published, and which of its models read which."""

from dataclasses import dataclass

END = "<|endoftext|>"
# How a text is cut before it is merged: what tiktoken's patterns match, in the syntax of
# `tokenizers`, where `$` matches at the end of a line and `{1,3}+` means any number of times.
_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LETTERS = r"\p{Lm}\p{Lo}\p{M}"
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}{_LETTERS}]*[\p{{Ll}}{_LETTERS}]+{_SUFFIX}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}{_LETTERS}]+[\p{{Ll}}{_LETTERS}]*{_SUFFIX}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Published:
    """`file`: its name in tiktoken's cache, the SHA-1 of its address. `pattern`: how text is cut
    before it is merged."""

    file: str
    sha256: str
    special: dict[str, int]
    pattern: str


PUBLISHED = {
    "cl100k_base": Published(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        {
            END: 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
        _CL100K,
    ),
    "r50k_base": Published(
        "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        {END: 50256},
        _GPT2,
    ),
    "p50k_base": Published(
        "ec7223a39ce59f226a68acc30dc1af2788490e15",
        "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
        {END: 50256},
        _GPT2,
    ),
    "o200k_base": Published(
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        {END: 199999, "<|endofprompt|>": 200018},
        _O200K,
    ),
}
# The first that a model's name begins with. A tuned model's name begins with "ft:" and is none.
_READS = {
    "gpt-4o": "o200k_base",
    "gpt-4.": "o200k_base",
    "gpt-5": "o200k_base",
    "chatgpt-4o": "o200k_base",
    "o1": "o200k_base",
    "o3": "o200k_base",
    "o4-": "o200k_base",
    "gpt-4": "cl100k_base",
    "gpt-3.5-turbo": "cl100k_base",
    "babbage-002": "cl100k_base",
    "davinci-002": "cl100k_base",
    "text-embedding-": "cl100k_base",
    "text-davinci-00": "p50k_base",
    "text-similarity-": "r50k_base",
    "text-search-": "r50k_base",
    "code-search-": "r50k_base",
}


def encoding_of(model: str) -> str | None:
    """The encoding that a model of OpenAI's reads; None where the name is none of theirs."""
    return next((name for begin, name in _READS.items() if model.startswith(begin)), None)
