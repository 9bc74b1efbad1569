"""OpenAI's published vocabularies: token ids of clients back into text, and texts counted.

cl100k_base comes with the package. Another is a file that tiktoken fetches from the internet and
keeps; here it is only looked for on this machine. Nothing is ever fetched.
"""

from tunewright.vocabularies.encoding import Encoding, count, open_encoding
from tunewright.vocabularies.published import PUBLISHED, Published, encoding_of
from tunewright.vocabularies.vocabulary import Vocabulary, open_vocabulary

__all__ = [
    "PUBLISHED",
    "Encoding",
    "Published",
    "Vocabulary",
    "count",
    "encoding_of",
    "open_encoding",
    "open_vocabulary",
]
