"""Many questions asked at once, whoever answers them: a model here, or a server over HTTP.

answers = ask(bodies, partial(message, tw.chat, tw.completions))
answers = ask(bodies, lambda body: client.post("/chat/completions", body), each=bar.advance)
for body, answer in zip(bodies, answers, strict=True):
    if isinstance(answer, BadRequest):  # this question was refused
        ...
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

from tunewright.errors import BadRequest, Busy
from tunewright.resources.chat import Chat
from tunewright.resources.completions import Completions

AT_ONCE = 16  # the rows that an engine's batch has (`generation.batch`)

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def ask(
    questions: Sequence[Question],
    answer: Callable[[Question], Answer],
    *,
    at_once: int = AT_ONCE,
    each: Callable[[], object] = lambda: None,
) -> list[Answer | BadRequest]:
    """The answers, in the order of the questions; its error in the place of one that was refused.

    answer: asks one; up to `at_once` threads call it. It raises BadRequest where the question
    itself is at fault (too long for the model, say), and Busy where there is no room now (HTTP's
    400 and 429): then that thread waits as long as it is told and asks again. Whatever else it
    raises ends the whole, which raises it: no further question is asked, and those under way are
    waited for.
    each: called in the caller's thread after every question, in the order in which they end.
    """
    ended = threading.Event()
    with ThreadPoolExecutor(at_once) as pool:
        asked = [pool.submit(_patiently, answer, question, ended) for question in questions]
        try:
            for one in as_completed(asked):
                one.result()
                each()
        finally:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
    return [one.result() for one in asked]


def _patiently(
    answer: Callable[[Question], Answer], question: Question, ended: threading.Event
) -> Answer | BadRequest:
    while True:
        try:
            return answer(question)
        except BadRequest as error:
            return error
        except Busy as busy:
            if busy.retry is False or ended.is_set():
                raise
            pause(ended, busy.retry_after or 1.0)


def pause(ended: threading.Event, seconds: float) -> None:
    """Wait for so long, or until all has ended."""
    ended.wait(seconds)


def message(chat: Chat, completions: Completions, body: Mapping[str, Any]) -> dict[str, Any]:
    """The assistant's message, as the wire has it, that answers the fields of a chat or, where
    there is a `prompt`, of a text completion."""
    if "prompt" in body:
        made = completions.create(**body)
        return {"role": "assistant", "content": made.choices[0].text}
    return chat.create(**body).choices[0].message.wire()
