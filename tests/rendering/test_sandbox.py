"""Templates that would use up the machine, whatever their messages say, end with a reason."""

import resource
import subprocess
import sys

from tunewright.rendering.sandbox import LONGEST_SOURCE
from tunewright.rendering.templates import ChatTemplate

_DOUBLING = "{{% set ns = namespace(s='ab') %}}{{% for a in range(60) %}}{0}{{% endfor %}}"
_NESTING = (
    "{{% set ns = namespace(s=[]) %}}{{% for a in range(60) %}}{0}{{% endfor %}}{{{{ ns.s }}}}"
)
_LONG = "{% set s = 'a' * 1000000 %}"
BOMBS = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "loops as messages say": "{% for a in range(messages[0].content | int) %}"
    "{% for b in range(messages[0].content | int) %}{% endfor %}{% endfor %}",
    "macros": "{% macro f(n) %}{{ f(n-1) if n }}{{ f(n-1) if n }}{% endmacro %}{{ f(60) }}",
    "blocks": "{% block a %}{{ self.b() }}{{ self.b() }}{% endblock %}"
    "{% block b %}{{ self.a() }}{% endblock %}",
    "recursion": "{% for a in [1] recursive %}{{ loop([1]) }}{{ loop([1]) }}{% endfor %}",
    "searching": "{% for a in range(99999) %}{% if 'z' in messages[1].content %}{% endif %}"
    "{% endfor %}",
    "slicing": "{% for a in range(99999) %}{% set x = messages[1].content[1:] %}{% endfor %}",
    "plus": _DOUBLING.format("{% set ns.s = ns.s + ns.s %}"),
    "tilde": _DOUBLING.format("{% set ns.s = ns.s ~ ns.s %}"),
    "capture": _DOUBLING.format("{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}"),
    "list": _NESTING.format("{% set ns.s = [ns.s, ns.s] %}"),
    "tuple": _NESTING.format("{% set ns.s = (ns.s, ns.s) %}"),
    "mapping": _NESTING.format("{% set ns.s = {'a': ns.s, 'b': ns.s} %}"),
    "dict": _NESTING.format("{% set ns.s = dict(a=ns.s, b=ns.s) %}"),
    "times": "{{ 'a' * 10**10 }}",
    "a constant": "{% set x = 'a' * 10**10 %}",
    "list times": "{{ [0] * 10**10 }}",
    "power": "{{ (10**900) ** (10**9) }}",
    "center": "{{ 'a' | center(10**10) }}",
    "center, a method": "{{ 'a'.center(10**10) }}",
    "ljust": "{{ 'a'.ljust(width=10**10) }}",
    "mapped": "{{ ['a'] | map('center', 10**10) | list }}",
    "filter block": "{% filter center(10**10) %}a{% endfilter %}",
    "percent": "{{ '%9999999999d' % 1 }}",
    "percent star": "{{ '%*d' % (10**10, 1) }}",
    "format": "{{ '{:9999999999}'.format(1) }}",
    "format within": "{{ '{:{}}'.format(1, 10**10) }}",
    "format, a filter": "{{ '%99999999d' | format(1) }}",
    "replace": _LONG + "{{ s.replace('a', s) }}",
    "replace, a filter": _LONG + "{{ s | replace('a', s) }}",
    "join": _LONG + "{{ ([s] * 100000) | join }}",
    "join, a method": _LONG + "{{ ''.join([s] * 100000) }}",
    "join with": _LONG + "{{ range(100000) | join(s) }}",
    "translate": _LONG + "{{ s.translate({97: s}) }}",
    "sum": "{{ ([[0] * 1000] * 100000) | sum(start=[]) }}",
    "indent of JSON": "{{ [1] | tojson(indent=10**10) }}",
    "batch": "{{ [1] | batch(10**10, 'x') | list }}",
    "range": "{{ range(10**10) | list }}",
    "lipsum": "{{ lipsum(n=10**9) }}",
    "writing": "{% set x %}{% for a in range(99999) %}"
    + "x" * 100_000
    + "{% endfor %}{% endset %}",
    "slow filter": "{{ ('<' * 1000000) | striptags }}",
    "long source": "{# " + "x" * LONGEST_SOURCE + " #}",
}
MESSAGES = [{"role": "user", "content": "90000"}, {"role": "user", "content": "a" * 8_000_000}]


CHILD = """
import sys
sys.path.insert(0, "tests")
from rendering.test_sandbox import BOMBS, MESSAGES
from tunewright.errors import BadRequest
from tunewright.rendering import sandbox
from tunewright.rendering.templates import ChatTemplate
sandbox.STEPS, sandbox.SECONDS = 20_000, 0.2  # the same limits, reached sooner
for name, source in BOMBS.items():
    try:
        ChatTemplate(source).render(MESSAGES, answer=True)
        print(name, "was rendered")
    except BadRequest as error:
        if not error.message.strip() or isinstance(error.__cause__, MemoryError):
            print(name, "took all memory")
"""


def test_every_bomb_is_refused_within_a_gigabyte():
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))

    done = subprocess.run(
        [sys.executable, "-c", CHILD], preexec_fn=limit, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-2000:]


def test_two_thousand_messages_and_deep_tools_are_no_bomb():
    template = ChatTemplate(
        "{% for m in messages %}{{ m.role ~ ': ' + m.content | trim }}{{ tools | tojson }}"
        "{% for t in tools %}{{ t.function.name }}{% endfor %}\n{% endfor %}"
    )
    tools = [{"type": "function", "function": {"name": f"f{n}"}} for n in range(8)]
    text = template.render(
        [{"role": "user", "content": "Hi " * 100}] * 2048, answer=True, tools=tools
    )
    assert text.count("user: Hi") == 2048
