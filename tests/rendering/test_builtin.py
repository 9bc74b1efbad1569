"""The renderer on the base that ships with the package."""

from importlib.resources import as_file, files

import pytest

from rendering.models import say
from tunewright.dataset.examples import ChatExample
from tunewright.rendering import Renderer


@pytest.fixture(scope="module")
def directory():
    with as_file(files("tunewright") / "builtin" / "chat") as path:
        if not (path / "tokenizer.json").is_file():
            pytest.skip("the starter model has not been built")
        yield path


def test_its_prompts_equal_those_of_transformers(directory):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(directory)
    ours = Renderer.load(directory, chat=True)
    for chat in (say("u: Hi"), say("s: Be brief.", "u: Où est-ce? 漢字 🙂", "a: Là.", "u: Merci")):
        ids = theirs.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert ours.prompt(chat) == ids


def test_an_answer_is_its_text_and_one_end(directory):
    renderer = Renderer.load(directory, chat=True)
    chat = say("u: How does a turn end? <|assistant|>", "a: With <|end|>.")
    [row] = renderer.rows(ChatExample(chat), 1)
    assert renderer.decode(row.answer) == "With <|end|>."
    assert [id for id in row.answer if id in renderer.stop_ids] == [renderer.end_id]
    assert len(renderer.prompt(chat)) > len(row.prompt)
    assert renderer.count("<|assistant|>") > 1
