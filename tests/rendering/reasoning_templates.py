"""Chat templates of models that think: traits of public families, written for these tests."""

_CALLS = """{%- for c in m.tool_calls or [] %}
    {{- '<tool_call>\\n{"name": "' + c.function.name + '", "arguments": ' }}
    {{- c.function.arguments | tojson }}{{- '}\\n</tool_call>' }}
{%- endfor %}"""
_TOOLS = """{%- if tools %}{{- '<|im_start|>system\\n' }}
    {%- for t in tools %}{{- t | tojson + '\\n' }}{%- endfor %}{{- '<|im_end|>\\n' }}
{%- endif %}"""
_OTHERS = """{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"""

# One block of reasoning in the answers since the user's last word, also an empty one in the last;
# read beside the content or out of it. Turned off, the prompt is opened with an empty block.
QWEN3 = (
    _TOOLS
    + """{%- set ns = namespace(asked=-1) %}
{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.asked = loop.index0 %}{%- endif %}
{%- endfor %}
{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {%- set said = m.content or '' %}{%- set thought = '' %}
        {%- if m.reasoning_content is string %}{%- set thought = m.reasoning_content %}
        {%- elif '</think>' in said %}
            {%- set thought = said.split('</think>')[0].split('<think>')[-1] %}
            {%- set said = said.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if loop.index0 > ns.asked and (loop.last or thought) %}
            {{- '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}
        {%- endif %}
        {{- said }}"""
    + _CALLS
    + """{{- '<|im_end|>\\n' }}
    {%- else %}"""
    + _OTHERS
    + """{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
)

# Always thinks: each prompt opens the block, answers without a thought have an empty one.
THINKER = QWEN3.replace(
    """{%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}""",
    """{{- '<think>\\n' }}""",
)

# A block in each answer, an empty one on the same line; only answers that think have line breaks.
GLM = (
    _TOOLS
    + """[gMASK]{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {%- set said = m.content or '' %}{%- set thought = '' %}
        {%- if m.reasoning_content is string %}{%- set thought = m.reasoning_content %}
        {%- elif '</think>' in said %}
            {%- set thought = said.split('</think>')[0].split('<think>')[-1] %}
            {%- set said = said.split('</think>')[-1] %}
        {%- endif %}
        {{- '<|im_start|>assistant' }}
        {%- if thought.strip() %}{{- '\\n<think>' + thought.strip() + '</think>' }}
        {%- else %}{{- '\\n<think></think>' }}{%- endif %}
        {%- if said.strip() %}{{- '\\n' + said.strip() }}{%- endif %}"""
    + _CALLS
    + """{{- '<|im_end|>' }}
    {%- else %}"""
    + _OTHERS
    + """{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant' }}
    {%- if enable_thinking is defined and not enable_thinking %}{{- '\\n<think></think>' }}
    {%- endif %}
{%- endif %}"""
)

# Opens each prompt with a thought, and drops it from what was said.
DEEPSEEK_R1 = """{{- bos_token }}{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {{- '<|im_start|>' + (m.content or '').split('</think>')[-1] + eos_token }}
    {%- else %}{{- m.role + ':' + m.content }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|><think>\\n' }}{%- endif %}"""

# The mark that ends a thought opens each answer that has none; `thinking` is its switch.
DEEPSEEK_V31 = """{{- bos_token }}{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {%- set said = m.content or '' %}
        {%- if '</think>' in said %}{%- set said = said.split('</think>', 1)[1] %}{%- endif %}
        {{- '<|im_start|></think>' + said + eos_token }}
    {%- else %}{{- m.role + ':' + m.content }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>' + ('<think>' if thinking else '</think>') }}
{%- endif %}"""

# Writes content as it comes; turned off, an empty block before every answer. Writes the date.
SMOLLM3 = """{%- if enable_thinking is not defined %}{%- set enable_thinking = true %}{%- endif %}
{{- '<|im_start|>system\\nToday: ' + strftime_now('%d %B %Y') }}
{{- '\\nReasoning: ' + ('/think' if enable_thinking else '/no_think') + '<|im_end|>\\n' }}
{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if not enable_thinking %}{{- '<think>\\n\\n</think>\\n' }}{%- endif %}
        {{- m.content.lstrip('\\n') + '<|im_end|>\\n' }}
    {%- else %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}
    {%- if not enable_thinking %}{{- '<think>\\n\\n</think>\\n' }}{%- endif %}
{%- endif %}"""

# Channels: a thought is a message of its own, of the last answer only; `thinking` is its key.
CHANNELS = """{{- '<|im_start|>system<|message|>Reasoning: ' + (reasoning_effort or 'medium') }}
{{- '<|end|>' }}
{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {%- if loop.last and m.thinking %}
            {{- '<|im_start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}
        {%- endif %}
        {{- '<|im_start|>assistant<|channel|>final<|message|>' + m.content }}
        {{- '<|im_end|>' if loop.last else '<|end|>' }}
    {%- else %}{{- '<|im_start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant' }}{%- endif %}"""

REASONING_TEMPLATES = {
    "qwen3": QWEN3,
    "thinker": THINKER,
    "glm": GLM,
    "deepseek-r1": DEEPSEEK_R1,
    "deepseek-v3.1": DEEPSEEK_V31,
    "smollm3": SMOLLM3,
    "channels": CHANNELS,
}
