import base64
import concurrent.futures
import json
import struct

import httpx
import pytest

from servers import Server
from tunewright.builtin import CHAT

ASK = {
    "model": "gpt-3.5-turbo",
    "messages": [{"role": "user", "content": "Tell me a story about a dog."}],
    "max_tokens": 24,
    "temperature": 0,
}


def ask(server: Server, **more: object) -> dict:
    answer = server.http.post("/chat/completions", json={**ASK, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def content(answer: dict) -> str:
    return answer["choices"][0]["message"]["content"]


def stream(server: Server, path: str, body: dict) -> list[dict]:
    chunks = []
    with server.http.stream("POST", path, json={**body, "stream": True}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert all("error" not in chunk for chunk in chunks)
    assert len({chunk["id"] for chunk in chunks}) == 1
    return chunks


def test_streamed_and_whole_answers_are_the_same(server: Server) -> None:
    whole = ask(server)
    chunks = stream(server, "/chat/completions", ASK)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == content(whole)
    assert chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert whole["usage"]["completion_tokens"] <= 24
    assert whole["usage"]["total_tokens"] == sum(
        whole["usage"][key] for key in ("prompt_tokens", "completion_tokens")
    )


def test_the_same_seed_gives_the_same_answer(server: Server) -> None:
    first = [content(ask(server, temperature=1, seed=5)) for _ in range(2)]
    assert first[0] == first[1]
    others = {content(ask(server, temperature=1, seed=seed)) for seed in range(4)}
    assert len(others) > 1


def test_n_choices(server: Server) -> None:
    answer = ask(server, n=3, temperature=1, seed=1)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in answer["choices"]}) > 1


def test_stop_strings_end_the_answer_and_are_not_in_it(server: Server) -> None:
    whole = content(ask(server))
    middle = whole[len(whole) // 2 : len(whole) // 2 + 3]
    cut = ask(server, stop=["\x00never", middle])
    assert content(cut) == whole[: whole.index(middle)]
    assert cut["choices"][0]["finish_reason"] == "stop"
    chunks = stream(server, "/chat/completions", {**ASK, "stop": middle})
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == content(cut)


def test_max_completion_tokens_and_nulls(server: Server) -> None:
    short = ask(server, max_tokens=None, max_completion_tokens=2, top_p=None, stop=None, n=None)
    assert short["usage"]["completion_tokens"] == 2
    assert short["choices"][0]["finish_reason"] == "length"


def test_many_at_once_are_answered_as_one_by_one(server: Server) -> None:
    questions = [f"What is {n} plus {n}?" for n in range(12)]

    def one(question: str) -> str:
        return content(ask(server, messages=[{"role": "user", "content": question}]))

    alone = [one(question) for question in questions]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        together = list(pool.map(one, questions))
    assert together == alone


def test_a_client_that_leaves_stops_its_generation(server: Server) -> None:
    """The engine is asked for 900 tokens by clients that leave; then it is idle at once."""
    body = {**ASK, "max_tokens": 900, "n": 8, "temperature": 2.0}
    with server.http.stream("POST", "/chat/completions", json={**body, "stream": True}) as answer:
        next(answer.iter_lines())
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{server.url}/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {server.key}"},
            timeout=1.0,
        )
    engine = server.child("tunewright.serving")
    engine.cpu_percent()
    assert min(engine.cpu_percent(interval=0.5) for _ in range(8)) < 20


def test_completions(server: Server) -> None:
    body = {"model": "davinci-002", "prompt": "The sun", "max_tokens": 8, "temperature": 0}
    whole = server.http.post("/completions", json=body).json()
    assert whole["object"] == "text_completion"
    chunks = stream(server, "/completions", body)
    assert "".join(c["choices"][0]["text"] for c in chunks) == whole["choices"][0]["text"]
    two = server.http.post("/completions", json={**body, "prompt": ["The sun", "A"], "n": 2})
    assert [c["index"] for c in two.json()["choices"]] == [0, 1, 2, 3]
    assert two.json()["choices"][0]["text"] == whole["choices"][0]["text"]


def test_chat_logprobs_spell_the_answer_streamed_and_whole(server: Server) -> None:
    whole = ask(server, logprobs=True, top_logprobs=2)
    content_ = whole["choices"][0]["logprobs"]["content"]
    assert b"".join(bytes(item["bytes"]) for item in content_).decode() == content(whole)
    assert len(content_) == whole["usage"]["completion_tokens"]
    for item in content_:  # greedy: the token is the most likely one
        assert item["top_logprobs"][0] == {k: item[k] for k in ("token", "logprob", "bytes")}
        first, second = (top["logprob"] for top in item["top_logprobs"])
        assert second <= first <= 0
    body = {**ASK, "logprobs": True, "top_logprobs": 2}
    chunks = stream(server, "/chat/completions", body)
    streamed = [c["choices"][0]["logprobs"] for c in chunks]
    found = [item for told in streamed if told for item in told["content"]]
    assert [item["bytes"] for item in found] == [item["bytes"] for item in content_]
    for chunk in chunks:  # each tells of its own text
        (choice,) = chunk["choices"]
        told = choice["logprobs"]["content"] if choice["logprobs"] else []
        assert "".join(item["token"] for item in told) == choice["delta"].get("content", "")
    assert ask(server, logprobs=True)["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []
    assert ask(server)["choices"][0]["logprobs"] is None


def test_temperature_leaves_logprobs_alone(server: Server) -> None:
    body = {"logprobs": True, "max_tokens": 1, "logit_bias": None, "top_logprobs": 20}
    calm = ask(server, **body)["choices"][0]["logprobs"]["content"][0]
    wild = ask(server, **body, temperature=2)["choices"][0]["logprobs"]["content"][0]
    assert calm["top_logprobs"] == wild["top_logprobs"]
    assert len(calm["top_logprobs"]) == 20


def test_a_stop_string_cuts_logprobs_with_the_text(server: Server) -> None:
    whole = ask(server, logprobs=True)
    tokens = [item["token"] for item in whole["choices"][0]["logprobs"]["content"]]
    stop = tokens[5][-1] + tokens[6]  # begins inside token 5
    cut = ask(server, logprobs=True, stop=stop)
    text, kept = content(cut), cut["choices"][0]["logprobs"]["content"]
    before = content(whole).index(stop)
    assert text == content(whole)[:before]
    begun = [at for at in range(len(tokens)) if len("".join(tokens[:at])) < before]
    assert [item["token"] for item in kept] == [tokens[at] for at in begun]


def test_completion_logprobs(server: Server) -> None:
    body = {"model": "davinci-002", "prompt": "The sun", "max_tokens": 8, "temperature": 0}
    whole = server.http.post("/completions", json={**body, "logprobs": 2}).json()["choices"][0]
    told = whole["logprobs"]
    assert "".join(told["tokens"]) == whole["text"]
    starts = [len("The sun" + "".join(told["tokens"][:at])) for at in range(len(told["tokens"]))]
    assert told["text_offset"] == starts
    for token, value, top in zip(
        told["tokens"], told["token_logprobs"], told["top_logprobs"], strict=True
    ):
        assert top[token] == value == max(top.values())
        assert len(top) == 2
    chunks = stream(server, "/completions", {**body, "logprobs": 2})
    streamed = [c["choices"][0]["logprobs"] for c in chunks if c["choices"][0]["logprobs"]]
    for name in ("tokens", "text_offset"):
        assert [item for part in streamed for item in part[name]] == told[name]


def test_penalties_and_bias_reach_the_model(server: Server) -> None:
    free = ask(server, logprobs=True, max_tokens=60)
    penal = ask(server, logprobs=True, max_tokens=60, frequency_penalty=2, presence_penalty=2)
    said = [
        [item["token"] for item in answer["choices"][0]["logprobs"]["content"]]
        for answer in (free, penal)
    ]
    repeated = [1 - len(set(tokens)) / len(tokens) for tokens in said]
    assert repeated[1] < repeated[0]
    body = {"model": "builtin-completion", "prompt": "The sun", "max_tokens": 6}
    answer = server.http.post("/completions", json={**body, "logit_bias": {"37": 100}}).json()
    assert answer["choices"][0]["text"] == "A" * 6  # 37: the token of "A"


def test_min_p_reaches_the_model(server: Server) -> None:
    """Whatever the temperature and the seed, 1 leaves the likeliest token alone, 0 all of them."""
    hot = {"temperature": 2, "seed": 3}
    greedy = content(ask(server))
    assert content(ask(server, **hot, min_p=1)) == greedy
    chunks = stream(server, "/chat/completions", {**ASK, **hot, "min_p": 1})
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == greedy
    assert content(ask(server, **hot, min_p=0)) == content(ask(server, **hot)) != greedy
    held = content(ask(server, **hot, min_p=0.05))
    assert held == content(ask(server, **hot, min_p=0.05)) != greedy
    text = complete(server)["choices"][0]["text"]
    assert complete(server, **hot, min_p=1)["choices"][0]["text"] == text
    chunks = stream(server, "/completions", {**COMPLETE, **hot, "min_p": 1})
    assert "".join(c["choices"][0]["text"] for c in chunks) == text


@pytest.mark.parametrize(
    ("more", "param", "says"),
    [
        ({"min_p": 1.01}, "min_p", "<= 1"),
        ({"min_p": -0.01}, "min_p", ">= 0"),
        ({"logit_bias": {"36": 1}}, "logit_bias", "a vocabulary of its own"),
        ({"model": "builtin-chat", "logit_bias": {"8192": 1}}, "logit_bias", "no token 8192"),
        ({"model": "builtin-chat", "logit_bias": {"-1": 1}}, "logit_bias", "'-1' is not a token"),
        ({"logit_bias": {"1": 101}}, "logit_bias", "100"),
        ({"logit_bias": {str(n): 1 for n in range(301)}}, "logit_bias", "300"),
        ({"presence_penalty": 2.1}, "presence_penalty", "<= 2"),
        ({"top_logprobs": 3}, "top_logprobs", "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "<= 20"),
    ],
)
def test_what_cannot_be_sampled_is_refused(
    server: Server, more: dict, param: str, says: str
) -> None:
    for streamed in (False, True):
        body = {**ASK, **more, "stream": streamed}
        answer = server.http.post("/chat/completions", json=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["param"].startswith(param)
        assert says in error["message"]


COMPLETE = {"model": "davinci-002", "prompt": "The sun is", "max_tokens": 5, "temperature": 0}


def complete(server: Server, **more: object) -> dict:
    answer = server.http.post("/completions", json={**COMPLETE, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_echo_scores_the_prompt_as_if_it_had_been_made(server: Server) -> None:
    plain = complete(server, logprobs=1)["choices"][0]
    echoed = complete(server, echo=True, logprobs=1)["choices"][0]
    assert echoed["text"] == "The sun is" + plain["text"]
    told = echoed["logprobs"]
    assert "".join(told["tokens"]) == echoed["text"]
    assert (told["token_logprobs"][0], told["top_logprobs"][0]) == (None, None)
    assert told["text_offset"][0] == 0
    # What was made is scored the same when it is given as a prompt.
    scored = complete(server, prompt=echoed["text"], echo=True, logprobs=0, max_tokens=0)
    (choice,) = scored["choices"]
    assert choice["text"] == echoed["text"]
    assert choice["finish_reason"] == "length"
    assert choice["logprobs"]["tokens"] == told["tokens"]
    assert choice["logprobs"]["token_logprobs"][1:] == pytest.approx(
        told["token_logprobs"][1:], abs=0.05
    )
    assert choice["logprobs"]["text_offset"] == told["text_offset"]
    assert choice["logprobs"]["top_logprobs"] is None
    assert scored["usage"]["completion_tokens"] == 0
    chunks = stream(server, "/completions", {**COMPLETE, "echo": True})
    assert "".join(c["choices"][0]["text"] for c in chunks) == echoed["text"]
    assert complete(server, echo=True, stop="sun")["choices"][0]["text"].startswith("The sun is")


def test_best_of_gives_the_likeliest(server: Server) -> None:
    wish = {"temperature": 1, "seed": 3, "logprobs": 0, "prompt": ["The sun is", "A cat"]}
    every = complete(server, **wish, n=4)

    def mean(choice: dict) -> float:
        return sum(choice["logprobs"]["token_logprobs"]) / len(choice["logprobs"]["tokens"])

    best = complete(server, **wish, best_of=4, n=2)
    assert [choice["index"] for choice in best["choices"]] == [0, 1, 2, 3]
    texts = [
        choice["text"]
        for four in (every["choices"][:4], every["choices"][4:])
        for choice in sorted(four, key=mean, reverse=True)[:2]
    ]
    assert [choice["text"] for choice in best["choices"]] == texts
    assert best["usage"]["completion_tokens"] == every["usage"]["completion_tokens"]
    silent = complete(server, **{**wish, "logprobs": None}, best_of=4)
    assert [c["text"] for c in silent["choices"]] == texts[::2]
    assert silent["choices"][0]["logprobs"] is None


def test_a_prompt_of_token_ids(server: Server) -> None:
    tokens = complete(server, echo=True, logprobs=0, max_tokens=0)["choices"][0]["logprobs"]
    assert "".join(tokens["tokens"]) == "The sun is"
    vocabulary = json.loads((CHAT / "tokenizer.json").read_text())["model"]["vocab"]
    ids = [vocabulary[token.replace(" ", "\u0120")] for token in tokens["tokens"]]
    text = complete(server, echo=True)["choices"][0]["text"]
    answer = complete(server, model="builtin-completion", prompt=[ids, ids], echo=True)
    assert [choice["text"] for choice in answer["choices"]] == [text, text]


def test_embeddings_float_and_base64_agree(server: Server) -> None:
    body = {"model": "text-embedding-ada-002", "input": ["A cat.", "A dog.", "A cat."]}
    floats = server.http.post("/embeddings", json=body).json()
    coded = server.http.post("/embeddings", json={**body, "encoding_format": "base64"}).json()
    vectors = [item["embedding"] for item in floats["data"]]
    for item, vector in zip(coded["data"], vectors, strict=True):
        raw = base64.b64decode(item["embedding"])
        assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(vector, abs=1e-7)
    assert vectors[0] == vectors[2]
    assert sum(x * x for x in vectors[0]) == pytest.approx(1, abs=1e-5)
    assert floats["usage"]["prompt_tokens"] == floats["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("seed", [2**64 - 1, 2**64 - 2, 2**63, 2**63 - 1, -(2**63), -1, 0])
def test_any_integer_of_64_bits_is_a_seed_and_so_are_those_of_the_choices(
    server: Server, seed: int
) -> None:
    first, again = (
        [c["message"]["content"] for c in ask(server, n=3, temperature=2, seed=seed)["choices"]]
        for _ in range(2)
    )
    assert first == again
    assert len(set(first)) > 1
    body = {"model": "babbage-002", "prompt": "a", "seed": seed, "n": 2, "best_of": 3}
    assert server.http.post("/completions", json={**body, "max_tokens": 2}).status_code == 200


@pytest.mark.parametrize("seed", [2**64, 10**30, -(2**63) - 1, -(10**30), 0.5, "1", True])
def test_what_is_no_such_integer_is_refused(server: Server, seed: object) -> None:
    for path, body in (("/chat/completions", ASK), ("/completions", {**COMPLETION, "n": 2})):
        answer = server.http.post(path, json={**body, "seed": seed})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "seed"


COMPLETION = {"model": "babbage-002", "prompt": "a", "max_tokens": 2}


@pytest.mark.parametrize(
    "more",
    [
        {"prompt": ["a"] * 128, "n": 128},
        {"prompt": ["a"] * 128, "n": 1, "best_of": 20},
        {"prompt": [[5]] * 9, "n": 128, "stream": True},
    ],
)
def test_more_answers_than_one_request_can_have_are_no_reason_to_come_back(
    server: Server, more: dict
) -> None:
    answer = server.http.post("/completions", json={**COMPLETION, **more})
    assert answer.status_code == 400
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["code"] == "too_many_answers"


def test_more_answers_than_the_engine_holds_of_one_organisation_come_in_order(
    server: Server,
) -> None:
    answer = server.http.post(
        "/completions", json={**COMPLETION, "prompt": ["a", "b"] * 12, "n": 4, "max_tokens": 1}
    )
    assert answer.status_code == 200
    assert [choice["index"] for choice in answer.json()["choices"]] == [*range(96)]
