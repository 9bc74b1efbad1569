"""What the SDK gives, of the synchronous client and of the asynchronous one alike."""

import inspect

from openai.types.chat import ChatCompletion
from pydantic import BaseModel


def typed(value: BaseModel) -> BaseModel:
    """The same object, built by validation from the bytes that the server sent."""
    if isinstance(value, ChatCompletion):  # `parse` adds its own `parsed` to what was sent
        added = {"choices": {"__all__": {"message": {"parsed"}}}}
        sent = value.model_dump_json(exclude_unset=True, by_alias=True, exclude=added)
        ChatCompletion.model_validate_json(sent)
        return value
    type(value).model_validate_json(value.to_json())
    return value


async def done(value):
    value = await value if inspect.isawaitable(value) else value
    return typed(value) if isinstance(value, BaseModel) else value


async def every(pages) -> list:
    """What a list or a stream gives: the SDK asks for page after page."""
    pages = await pages if inspect.iscoroutine(pages) else pages
    return [item async for item in pages] if hasattr(pages, "__aiter__") else list(pages)
