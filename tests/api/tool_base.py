"""A tiny base that knows tools, and a task that it learns: whatever is asked, call `weather`."""

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from training.tiny import write_base

TEMPLATE = """
{%- if tools %}{{ '<|system|>' }}{% for t in tools %}{{ t | tojson }}{% endfor %}<|end|>{% endif -%}
{%- for m in messages %}{{ '<|' + m.role + '|>' }}{{ m.content or '' }}
{%- for c in m.tool_calls or [] -%}
<tool_call>{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
{%- endfor -%}<|end|>{% endfor -%}
{%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif -%}"""
_CITY = {"city": {"type": "string"}}
WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": _CITY}}
TOOLS = [{"type": "function", "function": WEATHER}]
ARGUMENTS = '{"city": "Oslo"}'


def write_tool_base(directory: Path) -> Path:
    write_base(directory, "llama")
    path = str(directory / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    # Its vocabulary holds the call in three pieces, so that it is learned in seconds.
    pieces = ("<tool_call>", '{"name": "weather", "arguments": ', ARGUMENTS + "}")
    tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in pieces])
    tokenizer.save(path)
    (directory / "chat_template.jinja").write_text(TEMPLATE)
    return directory


def call(id: str = "call_1", name: str = "weather", arguments: str = ARGUMENTS) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def rows(count: int) -> bytes:
    asked = [{"role": "user", "content": "wxyz"[i % 4] + "?"} for i in range(count)]
    called = {"role": "assistant", "content": None, "tool_calls": [call()]}
    made = [{"messages": [user, called], "tools": TOOLS} for user in asked]
    return b"".join(json.dumps(row).encode() + b"\n" for row in made)
