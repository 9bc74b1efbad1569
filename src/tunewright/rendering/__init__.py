"""Messages and texts to token ids and back: the one renderer of training and of serving.

What a job is trained on is what serving will be given: both call `Renderer.prompt`. Which tokens
are supervised comes from rendering a conversation with and without its answer, never from looking
for marker strings. Text in a message is data: where it spells a control token (``<|im_end|>``) it
stays text, and only the template's own control tokens become that token.
"""

from tunewright.rendering.detokenizer import Detokenizer
from tunewright.rendering.renderer import Renderer
from tunewright.rendering.rows import Row

__all__ = ["Detokenizer", "Renderer", "Row"]
