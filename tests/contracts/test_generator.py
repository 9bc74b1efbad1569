"""The contract of `Generator`, the same for every implementation."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from tunewright.builtin import CHAT
from tunewright.generation import GENERATORS, open_generator
from tunewright.generation.generator import (
    Generator,
    Logprob,
    ModelSpec,
    Piece,
    Request,
    Scores,
)
from tunewright.rendering.grammars import json_answer
from tunewright.weights import lora
from tunewright.weights.base import load_base
from tunewright.weights.peft import load_adapter, save_adapter

CONTEXT = 64
PROMPT = [3, 1, 4, 1, 5]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    directory = tmp_path_factory.mktemp("base")
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.4,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    return ModelSpec("base", str(directory))


@pytest.fixture(scope="module")
def tuned(base: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    directory = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(2)
    weights = {
        path: (torch.randn(2, layer.in_features), torch.randn(layer.out_features, 2))
        for path, layer in lora.wrap(load_base(Path(base.base))).items()
    }
    save_adapter(directory, lora.Adapter(weights=weights, alpha=2))
    return ModelSpec("tuned", base.base, str(directory))


@pytest.fixture(params=GENERATORS.own)
def generator(request: pytest.FixtureRequest) -> Generator:
    return open_generator(request.param)


Make = Callable[..., Request]


@pytest.fixture
def make(base: ModelSpec) -> Make:
    def request(id: int, model: ModelSpec = base, **fields: object) -> Request:
        given = {"prompt": PROMPT, "max_tokens": 10, "temperature": 0.0, **fields}
        return Request(id=id, model=model, **given)  # pyright: ignore[reportArgumentType]

    return request


def finish(generator: Generator, *requests: Request) -> dict[int, list[Piece]]:
    """Every row's pieces, in their order; each row has exactly one last piece, at its end."""
    for request in requests:
        generator.submit(request)
    rows: dict[int, list[Piece]] = {}
    while generator.busy:
        for piece in generator.step():
            rows.setdefault(piece.id, []).append(piece)
    for pieces in rows.values():
        assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        assert pieces[-1].error is None
    return rows


def ids(pieces: list[Piece]) -> list[int]:
    return [token for piece in pieces for token in piece.ids]


def test_max_tokens(generator: Generator, make: Make) -> None:
    rows = finish(generator, make(1, max_tokens=1), make(2, max_tokens=7))
    assert [len(ids(rows[id])) for id in (1, 2)] == [1, 7]
    assert rows[1][-1].finished == rows[2][-1].finished == "length"


def test_a_stop_token_ends_the_row_and_is_not_in_it(generator: Generator, make: Make) -> None:
    free = ids(finish(generator, make(1))[1])
    stop = free[4]
    row = finish(generator, make(2, stop_ids=frozenset({stop, 999})))[2]
    assert ids(row) == free[: free.index(stop)]
    assert row[-1].finished == "stop"


def test_the_same_seed_gives_the_same_tokens_in_any_company(
    generator: Generator, make: Make, tuned: ModelSpec
) -> None:
    wish = {"temperature": 1.0, "top_p": 0.9, "seed": 11, "max_tokens": 20}
    alone = ids(finish(generator, make(1, **wish))[1])
    others = [
        make(id, model=tuned, temperature=2.0, prompt=[id] * id, max_tokens=id)
        for id in range(3, 9)
    ]
    rows = finish(generator, *others[:3], make(2, **wish), *others[3:])
    assert ids(rows[2]) == alone
    assert ids(finish(generator, make(1, **{**wish, "seed": 12}))[1]) != alone


def test_without_a_seed_rows_differ(generator: Generator, make: Make) -> None:
    rows = finish(generator, *(make(id, temperature=2.0, max_tokens=30) for id in range(3)))
    assert len({tuple(ids(row)) for row in rows.values()}) == 3


def test_a_late_joiner_and_what_it_joins_are_undisturbed(generator: Generator, make: Make) -> None:
    one, two = make(1, max_tokens=25), make(2, prompt=[7] * 30, max_tokens=25)
    alone = [ids(finish(generator, request)[request.id]) for request in (one, two)]
    generator.submit(one)
    early = [piece for _ in range(5) for piece in generator.step()]
    rows = finish(generator, two)
    assert [ids(early + rows[1]), ids(rows[2])] == alone


def test_adapters_of_one_base_side_by_side(
    generator: Generator, make: Make, base: ModelSpec, tuned: ModelSpec
) -> None:
    alone = [ids(finish(generator, make(1, model=model))[1]) for model in (base, tuned)]
    assert alone[0] != alone[1]
    rows = finish(generator, *(make(id, model=(base, tuned)[id % 2]) for id in range(4)))
    assert [ids(rows[id]) for id in range(4)] == [*alone, *alone]


def test_a_cancelled_row_says_no_more(generator: Generator, make: Make) -> None:
    expected = ids(finish(generator, make(2, max_tokens=30))[2])
    generator.submit(make(1, max_tokens=30))
    generator.submit(make(2, max_tokens=30))
    generator.submit(make(3, max_tokens=30))
    early = [piece for _ in range(4) for piece in generator.step() if piece.id == 2]
    generator.cancel(1)
    generator.cancel(3)
    generator.cancel(77)
    rows = finish(generator)
    assert list(rows) == [2]
    assert ids(early + rows[2]) == expected


def test_a_row_cancelled_before_its_first_step_never_speaks(
    generator: Generator, make: Make
) -> None:
    generator.submit(make(1))
    generator.cancel(1)
    assert finish(generator) == {}
    assert not generator.busy


def test_the_error_of_one_row_leaves_the_others(
    generator: Generator, make: Make, base: ModelSpec
) -> None:
    generator.submit(make(1, prompt=[]))
    generator.submit(make(2, prompt=[50]))
    generator.submit(make(3, model=ModelSpec("gone", base.base + "-gone")))
    generator.submit(make(4))
    pieces: list[Piece] = []
    while generator.busy:
        pieces += generator.step()
    failed = {piece.id: type(piece.error).__name__ for piece in pieces if piece.error}
    assert failed == {1: "BadRequest", 2: "BadRequest", 3: "NotFound"}
    assert len(ids([piece for piece in pieces if piece.id == 4])) == 10


def scored(generator: Generator, request: Request) -> Scores:
    (*silent, last) = finish(generator, request)[request.id]
    assert all(not piece.ids for piece in silent)
    assert last.scores is not None
    return last.scores


def test_scores_are_those_of_one_plain_forward_pass(
    generator: Generator, make: Make, base: ModelSpec, tuned: ModelSpec
) -> None:
    answer = [9, 2, 6, 5, 3]
    model = load_base(Path(base.base), dtype=torch.float32)
    assert tuned.adapter is not None
    lora.add(model, 0, load_adapter(Path(tuned.adapter)))
    for spec, slot in ((base, lora.NONE), (tuned, 0)):
        lora.select(model, slot)
        with torch.inference_mode():
            logits = model(torch.tensor([PROMPT + answer], device=model.device)).logits[0]
        expected = logits[len(PROMPT) - 1 : -1].float().cpu().log_softmax(-1)
        scores = scored(generator, make(1, model=spec, forced=answer))
        wanted = [float(expected[at, token]) for at, token in enumerate(answer)]
        assert scores.logprobs == pytest.approx(wanted, abs=1e-3)
        best = expected.topk(2)
        for at, (token, first, second) in enumerate(scores.top):
            assert token == int(best.indices[at, 0])
            assert (first, second) == pytest.approx(best.values[at].tolist(), abs=1e-3)


def test_the_greedy_answer_scores_as_the_greedy_choice(generator: Generator, make: Make) -> None:
    answer = ids(finish(generator, make(1))[1])
    scores = scored(generator, make(2, forced=answer))
    assert [token for token, _, _ in scores.top] == answer
    assert scores.logprobs == pytest.approx([first for _, first, _ in scores.top])
    assert all(math.isfinite(second) and second <= first for _, first, second in scores.top)


def test_a_scored_row_may_fill_the_context(generator: Generator, make: Make) -> None:
    answer = [1] * (CONTEXT - len(PROMPT))
    assert len(scored(generator, make(1, forced=answer)).logprobs) == len(answer)


def forward(base: ModelSpec, tokens: list[int]) -> torch.Tensor:
    """Logits [tokens, vocabulary] of one plain forward pass in float32."""
    model = load_base(Path(base.base), dtype=torch.float32)
    with torch.inference_mode():
        return model(torch.tensor([tokens], device=model.device)).logits[0].float().cpu()


def told(pieces: list[Piece]) -> list[Logprob]:
    assert all(len(piece.logprobs or []) == len(piece.ids) for piece in pieces)
    return [logprob for piece in pieces for logprob in piece.logprobs or []]


def test_logprobs_are_the_models_own_whatever_shapes_the_draw(
    generator: Generator, make: Make, base: ModelSpec
) -> None:
    shaped = {"temperature": 1.7, "top_p": 0.9, "seed": 3, "frequency_penalty": 2.0}
    rows = finish(
        generator,
        make(1, logprobs=3),
        make(2, logprobs=0, logit_bias={7: 100.0}, **shaped),
        make(3),
    )
    assert [piece.logprobs for piece in rows[3]] == [None] * 10
    for id, top in ((1, 3), (2, 0)):
        answer = ids(rows[id])
        expected = forward(base, PROMPT + answer)[len(PROMPT) - 1 : -1].log_softmax(-1)
        wanted = [float(expected[at, token]) for at, token in enumerate(answer)]
        assert [item.token for item in told(rows[id])] == answer
        assert [item.logprob for item in told(rows[id])] == pytest.approx(wanted, abs=1e-3)
        best = expected.topk(top)
        for at, item in enumerate(told(rows[id])):
            assert [token for token, _ in item.top] == best.indices[at].tolist()
            values = [value for _, value in item.top]
            assert values == pytest.approx(best.values[at].tolist(), abs=1e-3)


def test_the_logprobs_of_a_prompt(generator: Generator, make: Make, base: ModelSpec) -> None:
    rows = finish(
        generator,
        make(1, logprobs=2, prompt_logprobs=True, max_tokens=3),
        make(2, prompt_logprobs=True, max_tokens=0),
        make(3, prompt_logprobs=True, prompt=[7]),
    )
    expected = forward(base, PROMPT).log_softmax(-1)
    wanted = [float(expected[at, token]) for at, token in enumerate(PROMPT[1:])]
    for id, top in ((1, 2), (2, 0)):
        first, *later = rows[id]
        assert first.prompt is not None
        assert [item.token for item in first.prompt] == PROMPT[1:]
        assert [item.logprob for item in first.prompt] == pytest.approx(wanted, abs=1e-3)
        assert [len(item.top) for item in first.prompt] == [top] * len(wanted)
        assert all(piece.prompt is None for piece in later)
    assert (ids(rows[2]), rows[2][-1].finished) == ([], "length")
    assert rows[3][0].prompt == []


def test_penalties_and_biases_as_computed_by_hand(
    generator: Generator, make: Make, base: ModelSpec
) -> None:
    presence, frequency, bias = 0.7, 0.4, {2: 1.5, 9: -100.0, 30: 0.25}
    row = {"presence_penalty": presence, "frequency_penalty": frequency, "logit_bias": bias}
    rows = finish(generator, make(1, max_tokens=25, **row), make(2, max_tokens=25))
    made = ids(rows[1])
    logits = forward(base, PROMPT + made)[len(PROMPT) - 1 : -1].clone()
    for at, token in enumerate(made):
        for id in range(50):
            count = made[:at].count(id)
            logits[at, id] += bias.get(id, 0.0) - frequency * count - presence * (count > 0)
        best = logits[at].topk(2)
        assert token == best.indices[0] or best.values[0] - best.values[1] < 1e-3
    assert ids(rows[2]) == ids(finish(generator, make(3, max_tokens=25))[3]) != made


def test_min_p_as_computed_by_hand(generator: Generator, make: Make, base: ModelSpec) -> None:
    """At a temperature at which a row without it draws what its neighbour may not."""
    hot, least = {"temperature": 1.8, "seed": 4, "max_tokens": 25}, 0.4
    rows = finish(generator, make(1, **hot, min_p=least), make(2, **hot))

    def shares(made: list[int]) -> list[float]:
        logits = forward(base, PROMPT + made)[len(PROMPT) - 1 : -1]
        probabilities = (logits / 1.8).softmax(-1)
        taken = probabilities[range(len(made)), made]
        return (taken / probabilities.amax(-1)).tolist()

    assert min(shares(ids(rows[1]))) > least - 1e-3
    assert min(shares(ids(rows[2]))) < least
    assert len(set(ids(rows[1]))) > 1


def test_a_bias_for_a_token_that_the_model_lacks_is_refused(
    generator: Generator, make: Make
) -> None:
    generator.submit(make(1, logit_bias={50: 1.0}))
    (piece,) = generator.step()
    assert piece.error is not None
    assert piece.error.status == 400
    assert "no token 50" in piece.error.message
    assert "has 50 tokens" in piece.error.message


SCHEMA = """{"type": "object", "properties": {"pet": {"enum": ["cat", "dog"]}, "tame":
{"type": "boolean"}}, "required": ["pet", "tame"], "additionalProperties": false}"""


def test_a_grammar_holds_and_leaves_the_other_rows_alone(generator: Generator, make: Make) -> None:
    chat = ModelSpec("chat", str(CHAT))
    tokenizer = Tokenizer.from_file(str(CHAT / "tokenizer.json"))
    wish = {"model": chat, "prompt": [2, 100, 4, 3], "stop_ids": frozenset({0, 4})}
    free = ids(finish(generator, make(1, **wish, max_tokens=15))[1])
    held = {"grammar": json_answer(json.loads(SCHEMA)), "max_tokens": 40, "temperature": 1.5}
    generator.submit(make(8, **wish, grammar=json_answer({"type": "nothing"})))
    (refused,) = next(pieces for _ in range(1000) if (pieces := generator.step()))
    assert (refused.error and refused.error.param) == "response_format"
    rows = finish(
        generator,
        make(1, **wish, max_tokens=15),
        *(make(seed, **wish, **held, seed=seed) for seed in range(2, 6)),
        make(9, **wish, **{**held, "max_tokens": 3}),
    )
    assert ids(rows[1]) == free
    for row in range(2, 6):
        found = json.loads(tokenizer.decode(ids(rows[row])))
        assert found["pet"] in ("cat", "dog")
        assert isinstance(found["tame"], bool)
        assert rows[row][-1].finished == "stop"
    assert rows[9][-1].finished == "length"


def test_unload_and_load_again(generator: Generator, make: Make, tuned: ModelSpec) -> None:
    generator.load(tuned)
    before = ids(finish(generator, make(1, model=tuned))[1])
    generator.unload(tuned.key)
    assert ids(finish(generator, make(1, model=tuned))[1]) == before
