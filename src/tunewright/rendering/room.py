"""What fits into a base's context, told long before all of it is tokenized."""

from dataclasses import dataclass

from tokenizers import Tokenizer

from tunewright.errors import BadRequest
from tunewright.rendering.encoding import ids_of

_LONGEST = 128  # characters of a token, in any published vocabulary
_PIECE = 1 << 16  # characters that are tokenized at once where only their number counts
_TOLERANCE = 2048  # tokens that cutting a text into pieces may add


@dataclass(frozen=True)
class Room:
    """`context`: tokens. `subject`: the parameter that holds the prompt.

    Tokenizing 8 MB takes seconds, and gigabytes: a text that cannot fit is not tokenized.
    """

    tokenizer: Tokenizer
    context: int
    subject: str

    def check(self, text: str) -> None:
        """Raises BadRequest where `text` surely has more tokens than the context."""
        self.check_size(len(text))
        if len(text) <= max(_PIECE, self.context):
            return
        counted = 0
        for start in range(0, len(text), _PIECE):
            counted += len(ids_of(self.tokenizer, text[start : start + _PIECE]))
            if counted > self.context + _TOLERANCE:
                raise self.too_long(f"more than {self.context}")

    def check_size(self, characters: int) -> None:
        """The same, of a text of so many characters."""
        if characters > _LONGEST * self.context:
            raise self.too_long(f"more than {self.context}")

    def too_long(self, tokens: object) -> BadRequest:
        """The refusal, in OpenAI's words, of a prompt of so many tokens."""
        return BadRequest(
            f"This model's maximum context length is {self.context} tokens. However, your "
            f"{self.subject} resulted in {tokens} tokens. Please reduce their length.",
            param=self.subject,
            code="context_length_exceeded",
        )
