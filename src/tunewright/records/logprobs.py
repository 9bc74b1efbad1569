"""What an answer tells of its tokens, in the forms of chat and of text completions."""

from tunewright.records.record import Record


class TopLogprob(Record):
    """`bytes` are the token's own; `token` shows them as text, U+FFFD for a part of a character."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class ChatLogprobs(Record):
    content: list[TokenLogprob]
    refusal: None = None


class CompletionLogprobs(Record):
    """Four lists of one length. A part of a character is written ``bytes:\\xe2\\x82``.

    `text_offset`: in characters from the start of the prompt.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]
