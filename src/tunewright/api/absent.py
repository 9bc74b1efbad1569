"""URLs that nobody answers: OpenAI's calls that are not offered, by name, and mistaken bases."""

import re

from tunewright.errors import MethodNotAllowed, NotFound

_CHAT = "Use POST /v1/chat/completions"
_TEXT = "The models here read and write text only"
# By the first parts of the path below /v1, the longest first.
_ABSENT: dict[str, tuple[str, str]] = {
    "responses": (
        "The Responses API",
        f"{_CHAT} (client.chat.completions.create). Frameworks can be told to use it: "
        'set_default_openai_api("chat_completions") in openai-agents, openai.chat(...) in the AI '
        "SDK, OpenAIChatModel in pydantic-ai.",
    ),
    "conversations": ("The Conversations API", f"{_CHAT} and send the messages so far with it."),
    "fine_tuning/alpha/graders": (
        "The Graders API",
        "`tunewright check --job ID` says which rows a tuned model still answers wrongly.",
    ),
    "evals": (
        "The Evals API",
        "`tunewright check --job ID` says which rows a tuned model still answers wrongly.",
    ),
    "moderations": (
        "The Moderations API",
        "No model here rates content. A tuned model can: ask it with POST /v1/chat/completions.",
    ),
    "assistants": ("The Assistants API", f"{_CHAT}."),
    "threads": ("The Assistants API", f"{_CHAT} and send the messages so far with it."),
    "chatkit": ("ChatKit", f"{_CHAT}."),
    "chat/completions": (
        "The list of stored completions",
        "Prompts and answers are never stored here: keep the answer of POST /v1/chat/completions.",
    ),
    "images": ("The Images API", f"{_TEXT}."),
    "videos": ("The Videos API", f"{_TEXT}."),
    "audio": ("The Audio API", f"{_TEXT}."),
    "realtime": ("The Realtime API", f'{_CHAT} with "stream": true.'),
    "live": ("The Realtime API", f'{_CHAT} with "stream": true.'),
    "containers": ("The Containers API", "Nothing here runs code."),
    "skills": ("The Skills API", f"{_CHAT}, with `tools` for what your code does."),
    "organization": (
        "This part of the administration API",
        "Keys are managed with /v1/organization/admin_api_keys, organisations with `tunewright "
        "organisations` on the server's machine.",
    ),
    "projects": ("Projects", "A key belongs to an organisation: `tunewright organisations`."),
    "fine-tunes": ("The first fine-tuning API", "Use /v1/fine_tuning/jobs."),
    "edits": ("The Edits API", f"{_CHAT}."),
    "answers": ("The Answers API", f"{_CHAT}."),
    "classifications": ("The Classifications API", f"{_CHAT} with a tuned model."),
    "search": ("The first search API", "Use POST /v1/embeddings."),
}
_OFFERED = (
    *("chat/completions", "completions", "embeddings", "models", "files", "uploads", "batches"),
)
_SERVED = re.compile(rf"/(?:v1/v1/)?(?:{'|'.join(_OFFERED)}|fine_tuning/jobs)(?:/.*)?")


def no_such_url(method: str, path: str) -> NotFound:
    """What to answer where no route fits: OpenAI's own words, and what to call instead."""
    if path.startswith("/v1/"):
        inside = path.removeprefix("/v1/")
        for start, (name, instead) in _ABSENT.items():
            if inside == start or inside.startswith(f"{start}/"):
                said = f"{name} is not offered by this server ({method} {path}). {instead}"
                return NotFound(said, code="not_offered")
    bases = " The base URL of this server ends in /v1." if _SERVED.fullmatch(path) else ""
    return NotFound(f"Invalid URL ({method} {path}){bases and '.'}{bases}")


def stored_completions(method: str, path: str) -> MethodNotAllowed | None:
    """The one call that is not offered at a URL that is there: GET lists what POST had stored."""
    if (method, path) != ("GET", "/v1/chat/completions"):
        return None
    missing = no_such_url(method, path)
    return MethodNotAllowed(missing.message, code=missing.code)
