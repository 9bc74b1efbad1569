"""Parts of a message's content that are no text."""

from typing import Any

from pydantic import model_validator

from tunewright.records.record import Request

_KINDS = {
    "image_url": "an image",
    "input_image": "an image",
    "image": "an image",
    "image_file": "an image",
    "input_audio": "audio",
    "audio": "audio",
    "file": "a file",
    "input_file": "a file",
    "document": "a file",
    "video_url": "a video",
    "video": "a video",
}


class TextOnly(Request):
    """A part that names what is refused, instead of the first of its keys that is unknown."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_other_media(cls, part: Any) -> Any:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind in _KINDS:
            raise ValueError(
                f"this part is {_KINDS[kind]} (type '{kind}'), and this server's models read text "
                'only. Send parts of the form {"type": "text", "text": ...}'
            )
        return part
