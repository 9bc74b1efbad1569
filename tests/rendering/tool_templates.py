"""Chat templates that know tools, of the kinds that are in use."""

from pathlib import Path

from tokenizers import AddedToken, Tokenizer

from rendering.models import write_model

HERMES = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
    {{- '# Tools\\n<tools>' }}
    {%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
    {{- '\\n</tools>\\nCall as <tool_call>\\n{"name": <name>, "arguments": <object>}\\n' }}
    {{- '</tool_call><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'assistant' and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' + tool_call.name + '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}{{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {%- if loop.index0 == 0 or messages[loop.index0 - 1].role != 'tool' %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

# Drops its thought from what was said, and needs a content that is a text.
THINKING = HERMES.replace(
    "{%- if message.content %}{{- '\\n' + message.content }}{%- endif %}",
    "{%- if '</think>' in message.content %}{%- endif %}"
    "{%- if message.content.strip() %}{{- '\\n' + message.content }}{%- endif %}",
).replace("'<|im_start|>assistant\\n' }}", "'<|im_start|>assistant\\n<think>\\n' }}")

LLAMA3 = """{{- bos_token }}
{%- for message in messages %}
    {%- if tools and loop.first %}
        {{- '<|im_start|>system\\n\\nAnswer with {"name": function, "parameters": arguments}.\\n' }}
        {%- for t in tools %}{{- t | tojson(indent=4) }}{{- '\\n' }}{%- endfor %}
        {{- '<|im_end|>' }}
    {%- endif %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>ipython\\n\\n' }}
        {%- if message.content is mapping %}{{- message.content | tojson }}
        {%- else %}{{- message.content }}{%- endif %}
        {{- '<|im_end|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls | length == 1 %}
            {{- raise_exception('This model only supports single tool-calls at once!') }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|im_start|>assistant\\n\\n' }}
        {{- '{"name": "' + tool_call.name + '", "parameters": ' }}
        {{- tool_call.arguments | tojson }}{{- '}<|im_end|>' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n\\n' + message.content | trim + '<|im_end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n\\n' }}{%- endif %}"""

_MISTRAL_OPENING = """{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {%- if tools and loop.first %}
            {{- '[AVAILABLE_TOOLS] ' + (tools | map(attribute='function') | list | tojson) }}
            {{- '[/AVAILABLE_TOOLS]' }}
        {%- endif %}
        {{- '[INST] ' + message.content + '[/INST]' }}
    {%- elif message.role == 'tool' %}
        {{- '[TOOL_RESULTS] {"content": ' + (message.content | tojson) + ', "call_id": "' }}
        {{- message.tool_call_id + '"}[/TOOL_RESULTS]' }}
    {%- elif message.tool_calls is not defined %}
        {{- ' ' + message.content + eos_token }}
    {%- else %}"""
_MISTRAL_CLOSING = """{{- eos_token }}{%- endif %}{%- endfor %}"""

MISTRAL = (
    _MISTRAL_OPENING
    + """
        {{- '[TOOL_CALLS] [' }}
        {%- for call in message.tool_calls %}
            {%- set out = call.function | tojson %}{{- out[:-1] }}
            {%- if call.id | length != 9 %}
                {{- raise_exception('Tool call IDs should have length 9!') }}
            {%- endif %}
            {{- ', "id": "' + call.id + '"}' }}{{- ', ' if not loop.last else ']' }}
        {%- endfor %}"""
    + _MISTRAL_CLOSING
)

MISTRAL_NEW = (
    _MISTRAL_OPENING
    + """
        {{- message.content or '' }}
        {%- for call in message.tool_calls %}
            {{- '[TOOL_CALLS]' + call.function.name + '[ARGS]' }}
            {{- call.function.arguments | tojson }}
        {%- endfor %}"""
    + _MISTRAL_CLOSING
)

# Wants null for the content of a call and its arguments as text.
DEEPSEEK = """{{- bos_token }}
{%- for tool in tools or [] %}{{- tool | tojson + '\\n' }}{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'user' %}{{- '<|User|>' + message.content }}
    {%- elif message.role == 'tool' %}{{- '<|Output|>' + message.content }}
    {%- elif message.content is none %}
        {{- '<|Assistant|><|calls_begin|>' }}
        {%- for call in message.tool_calls %}
            {{- '<|call|>' + call.type + '<|sep|>' + call.function.name + '\\n```json\\n' }}
            {{- call.function.arguments + '\\n```<|call_end|>\\n' }}
        {%- endfor %}
        {{- '<|calls_end|>' + eos_token }}
    {%- else %}{{- '<|Assistant|>' + message.content + eos_token }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|Assistant|>' }}{%- endif %}"""

# Arguments one by one, as Qwen3-Coder: a form without JSON.
XML = HERMES.replace(
    """{{- '\\n<tool_call>\\n{"name": "' + tool_call.name + '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}{{- '}\\n</tool_call>' }}""",
    """{{- '\\n<tool_call>\\n<function=' + tool_call.name + '>' }}
            {%- for k, v in tool_call.arguments.items() %}{{- '<' + k + '>' + v }}{%- endfor %}
            {{- '</tool_call>' }}""",
)

TOOL_TEMPLATES = {
    "hermes": HERMES,
    "thinking": THINKING,
    "llama3": LLAMA3,
    "mistral": MISTRAL,
    "mistral-new": MISTRAL_NEW,
    "deepseek": DEEPSEEK,
}
# Which of them are special tokens of the tokenizer: the marker must not vanish from the text.
TOOL_SPECIAL = ["[TOOL_CALLS]", "[ARGS]", "<|calls_begin|>", "<|sep|>", "<|call_end|>"]
TOOL_SOFT = ["<tool_call>", "</tool_call>"]


def write_tool_model(directory: Path, template: str) -> Path:
    write_model(directory, template)
    path = str(directory / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.add_special_tokens(TOOL_SPECIAL)
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in TOOL_SOFT])
    tokenizer.save(path)
    (directory / "config.json").write_text('{"max_position_embeddings": 4096}')
    return directory
