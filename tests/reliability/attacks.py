"""What one client can do to a server: a row each. Those in LIGHT are sent once by `make test`."""

from dataclasses import replace

from arena import Attack, chat, completion, embedding
from scenes import (
    checked,
    checks_of_tiny_rows,
    completed,
    deletions,
    engine_stopped,
    foreign_reader,
    held_catalog,
    jobs_ended,
    jobs_of_tiny_rows,
    long_base,
    many_files,
    many_parts,
    stored,
    unreadable_files,
    validated,
)
from wire import (
    deep,
    doubling,
    field,
    form,
    gets,
    headed,
    many_keys,
    many_messages,
    nested_lists,
    posts,
    raw,
    referring,
    shaped,
    to_every_call,
    to_every_model,
    tools,
    upload,
    wide,
)

MANY = {"connections": 1000}
FEW = {"connections": 100}
FLOOD = {"connections": 1000, "keep": True}
WORDS = "word " * 1_600_000
TINY_CHUNKS = b"1\r\n \r\n" * 10_000
SMALL_CHUNKS = (b"44\r\n" + b" " * 68 + b"\r\n") * 1_000
CHUNKED = "Transfer-Encoding: chunked\r\n"
CHAT, TEXT, EMBED = "/chat/completions", "/completions", "/embeddings"
REFUSED = (400, 429)
FORM = "multipart/form-data; boundary=b"
LONG = "Content-Length: 900000\r\n"
FORM_BEGUN = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
HALF_HEAD = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Filler: "
PIPELINED = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500
LONG_HEAD = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + b"a:b\r\n" * 6000 + b"\r\n"
OPENAPI = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LONG_PROMPT = "a word of a long prompt " * 80

LIGHT = [
    Attack("30,000 keys", posts(CHAT, lambda: many_keys(30_000)), REFUSED),
    Attack("30,000 messages", posts(CHAT, lambda: many_messages(30_000)), REFUSED),
    Attack("100,000 empty lists", posts(EMBED, lambda: nested_lists(100_000)), REFUSED),
    Attack("100,000 levels", posts(EMBED, lambda: deep(100_000)), REFUSED),
    Attack(
        "wide and deep, to every call",
        to_every_call(many_keys(60_000), deep(50_000)),
        (400, 404, 429),
    ),
    Attack("a message of 8 MB", posts(CHAT, lambda: chat(WORDS)), REFUSED),
    Attack("a prompt of 8 MB", posts(TEXT, lambda: completion(WORDS)), REFUSED),
    Attack("128 large prompts", posts(TEXT, lambda: completion([WORDS[:200_000]] * 128)), REFUSED),
    Attack("16,384 answers", posts(TEXT, lambda: completion(["a"] * 128, n=128)), REFUSED),
    Attack("an input of 8 MB", posts(EMBED, lambda: embedding(WORDS)), REFUSED),
    Attack("2,048 large inputs", posts(EMBED, lambda: embedding([WORDS[:4000]] * 2048)), REFUSED),
    Attack(
        "JSON called a form", posts(EMBED, lambda: embedding(WORDS), kind="multipart/x"), REFUSED
    ),
    Attack(
        "a template that loops as the message says",
        posts(CHAT, lambda: chat("90000") | {"model": "looping"}),
        (400,),
    ),
    Attack("a schema of 2 MB", posts(CHAT, lambda: shaped({"enum": [WORDS[:2_000_000]]})), REFUSED),
    Attack("a schema that counts", posts(CHAT, lambda: shaped({"multipleOf": 4_000_037})), REFUSED),
    Attack("tools of 2 MB", posts(CHAT, lambda: chat(tools=tools(128, WORDS[:16_000]))), REFUSED),
    Attack(
        "log-probabilities of 130,000 ids",
        posts(TEXT, lambda: completion([7] * 130_000, echo=True, logprobs=5)),
        REFUSED,
    ),
    Attack(
        "a form of many fields",
        form("/files", *(field(f"f{n}", b"a") for n in range(50_000))),
        (400,),
    ),
    Attack("a head of 6,000 lines", raw(LONG_HEAD), (400,), keyed=False),
    Attack("tiny chunks", headed(EMBED, CHUNKED), (*REFUSED, 408), endless=TINY_CHUNKS),
    Attack("tiny chunks, no key", headed(EMBED, CHUNKED), (401,), keyed=False, endless=TINY_CHUNKS),
    Attack("8 MB, no key", posts(EMBED, lambda: embedding(WORDS)), (401,), keyed=False),
]

BODIES = [
    Attack("a client as any other", posts(EMBED, lambda: embedding("word")), (200,)),
    Attack("2.4 million keys", posts(CHAT, lambda: many_keys(2_400_000)), REFUSED),
    Attack("a million messages", posts(CHAT, lambda: many_messages(1_000_000)), REFUSED),
    Attack("7 million empty lists", posts(EMBED, lambda: nested_lists(7_000_000)), REFUSED),
    Attack("10 million levels", posts(EMBED, lambda: deep(10_000_000)), REFUSED),
    Attack(
        "a number of 8 million digits",
        posts(EMBED, lambda: b'{"model":"x","input":' + b"7" * 8_000_000 + b"}"),
        REFUSED,
    ),
    Attack("4 million escapes", posts(CHAT, lambda: chat('\\"' * 4_000_000)), REFUSED),
    Attack(
        "2,000 messages of words",
        posts(CHAT, lambda: {**chat(), "messages": chat("word " * 20)["messages"] * 2000}),
        REFUSED,
    ),
    Attack("200 KB of words", posts(CHAT, lambda: chat("word " * 40_000)), REFUSED),
    Attack("300,000 ids", posts(EMBED, lambda: embedding([[7] * 8000] * 37)), (200, *REFUSED)),
    Attack("2,048 words", posts(EMBED, lambda: embedding(["word"] * 2048)), (200, *REFUSED)),
]
# Each kind of text costs a tokenizer something else, and each call has a way of its own to it.
STRINGS = {"words": "word ", "digits": "7", "spaces": " ", "one word": "w", "marks": "!?"}
BODIES += [
    Attack(f"8 MB of {name}", to_every_model(8_000_000 // len(piece) * piece), REFUSED)
    for name, piece in STRINGS.items()
]

PROMPTS = [
    Attack("1,024 answers", posts(TEXT, lambda: completion(["a"] * 128, n=8)), (200, *REFUSED)),
    Attack(
        "128 answers under a long prompt",
        posts(TEXT, lambda: completion(LONG_PROMPT, n=128)),
        (200, *REFUSED),
        plan={"connections": 8},
    ),
    Attack(
        "128 long prompts", posts(TEXT, lambda: completion([LONG_PROMPT] * 128)), (200, *REFUSED)
    ),
    Attack(
        "long messages, one word each",
        posts(CHAT, lambda: chat(LONG_PROMPT)),
        (200, *REFUSED),
        plan={"connections": 64},
    ),
    Attack(
        "long answers",
        posts(CHAT, lambda: chat("Go on", max_tokens=500, n=16)),
        (200, *REFUSED),
        plan={"connections": 16},
    ),
    Attack(
        "grammars",
        posts(CHAT, *(lambda n=n: shaped({"multipleOf": 99_001 + n}) for n in range(50))),
        (200, *REFUSED),
    ),
    Attack("schemas of 1,000 properties", posts(CHAT, lambda: shaped(wide(1000))), (200, *REFUSED)),
    Attack("a schema of 20,000 properties", posts(CHAT, lambda: shaped(wide(20_000))), REFUSED),
    Attack("long references", posts(CHAT, lambda: shaped(referring(900, 10_000))), REFUSED),
    Attack("references that double", posts(CHAT, lambda: shaped(doubling(40))), (200, *REFUSED)),
    Attack("128 tools", posts(CHAT, lambda: chat(tools=tools(128, "word " * 40))), (200, *REFUSED)),
    Attack(
        "128 wide tools",
        posts(CHAT, lambda: chat(tools=tools(128, "", wide(100)), tool_choice="required")),
        (200, *REFUSED),
    ),
    Attack(
        "log-probabilities of a long context",
        posts(TEXT, lambda: completion([7] * 100_000, echo=True, logprobs=5) | {"model": "long"}),
        (200, *REFUSED),
        beside=long_base,
    ),
    Attack(
        "the engine hangs",
        posts(TEXT, lambda: completion(LONG_PROMPT, n=64)),
        (200, 429, 503),
        beside=engine_stopped,
        plan={"connections": 100},
        calls={"completion": completed},
        bars={"completion": 30.0},  # it is ended after 15 s of silence, and started anew
    ),
]

ABANDONED = [
    Attack(
        "embeddings",
        posts(EMBED, lambda: embedding([f"{n} " + "word " * 60 for n in range(2048)])),
        (),
        plan={"leave": 0.3, "connections": 12},
        bars={"embedding": 1.0},
    ),
    Attack(
        "answers",
        posts(CHAT, lambda: chat("Go on", max_tokens=1000, n=64)),
        (),
        plan={"leave": 0.1, "connections": 12},
    ),
    Attack(
        "streams",
        posts(CHAT, lambda: chat("Go on", max_tokens=1000, n=64, stream=True)),
        (),
        plan={"leave": 0.02, "connections": 12},
    ),
    Attack(
        "prompts",
        posts(TEXT, lambda: completion([LONG_PROMPT] * 128, n=8)),
        (),
        plan={"leave": 0.05, "connections": 12},
    ),
    Attack(
        "file checks",
        checks_of_tiny_rows,
        (),
        plan={"leave": 0.1, "connections": 12},
        calls={"check": checked},
        bars={"check": 5.0},
    ),
]
ABANDONED = [replace(attack, name=f"{attack.name}, abandoned") for attack in ABANDONED]

DEAF = [
    Attack(
        "uploads, abandoned",
        headed("/files", LONG, FORM_BEGUN + b"a" * 500_000, FORM),
        (),
        plan={"leave": 0.02},
    ),
    Attack(
        "embeddings that nobody reads",
        posts(EMBED, lambda: embedding(["word"] * 2048, encoding_format="float")),
        (),
        plan={"deaf": True, "connections": 100},
    ),
    Attack(
        "streams that nobody reads",
        posts(CHAT, lambda: chat("Go on", max_tokens=1000, n=32, stream=True)),
        (),
        plan={"deaf": True, "connections": 32},
    ),
]

SOCKETS = [
    Attack("1,000 silent connections", raw(), (408,), keyed=False, plan=MANY),
    Attack("1,000 half heads", raw(HALF_HEAD), (408,), keyed=False, plan=MANY),
    Attack(
        "1,000 heads by the byte",
        raw(HALF_HEAD * 10),
        (408, 400),
        keyed=False,
        plan={**MANY, "drip": 1, "pause": 0.2},
    ),
    Attack(
        "1,000 half bodies",
        headed(EMBED, "Content-Length: 900000\r\n", b'{"input": "' + b"a" * 60_000),
        (408, *REFUSED),
        plan=MANY,
    ),
    Attack(
        "1,000 half uploads",
        headed("/files", LONG, FORM_BEGUN + b"a" * 800_000, FORM),
        (408, *REFUSED),
        plan=MANY,
    ),
    Attack(
        "1,000 half bodies, no key",
        headed(EMBED, "Content-Length: 900000\r\n", b"a" * 600_000),
        (401, 408),
        keyed=False,
        plan=MANY,
    ),
    Attack("1,000 connections that ask", gets("/models", more=""), (200, 429), plan=FLOOD),
    Attack("1,000 new connections that ask", gets("/models"), (200, 429), plan=MANY),
    Attack(
        "1,000 connections that ask, no key",
        gets("/models", more=""),
        (401, 429),
        keyed=False,
        plan=FLOOD,
    ),
    Attack("1,000 new connections, no key", gets("/models"), (401, 429), keyed=False, plan=MANY),
    Attack(
        "1,000 wrong keys",
        lambda arena, _: [gets("/models")(arena, f"sk-tw-{n}")[0] for n in range(500)],
        (401, 429),
        keyed=False,
        plan=MANY,
    ),
    Attack(
        "1,000 connections that embed",
        posts(EMBED, lambda: embedding("word"), more=""),
        (200, 429),
        plan=FLOOD,
    ),
    Attack(
        "1,000 connections that chat", posts(CHAT, lambda: chat(), more=""), (200, 429), plan=FLOOD
    ),
    Attack(
        "pipelined requests", raw(PIPELINED), (401, 408), keyed=False, plan={"connections": 100}
    ),
    Attack(
        "heads of 6,000 lines", raw(LONG_HEAD), (400, 401), keyed=False, plan={"connections": 50}
    ),
    Attack("small chunks", headed(EMBED, CHUNKED), (*REFUSED, 408, 413), endless=SMALL_CHUNKS),
    Attack(
        "100 connections of small chunks",
        headed(EMBED, CHUNKED),
        (*REFUSED, 408, 413),
        plan={"connections": 100},
        endless=SMALL_CHUNKS,
    ),
    Attack(
        "100 connections of tiny chunks, no key",
        headed(EMBED, CHUNKED),
        (401, 408),
        keyed=False,
        plan={"connections": 100},
        endless=TINY_CHUNKS,
    ),
    Attack(
        "small requests, byte by byte",
        posts(EMBED, lambda: embedding("word")),
        (200, 400, 408, 429),
        plan={"connections": 200, "drip": 1},
    ),
    Attack("the OpenAPI document", raw(OPENAPI), (200,), keyed=False, plan={"connections": 50}),
]

FILES = [
    Attack("uploads", upload(b"a" * 20_000_000), (200, 429), plan={"connections": 16}),
    Attack("small uploads", upload(b"a" * 100), (200, 429), plan={"connections": 64}),
    Attack(
        "uploads of boundaries",
        upload(b"\r\n--" * 4_000_000),
        (200, 429),
        plan={"connections": 8},
    ),
    Attack("a form of many parts", form("/files", *([field("a", b"")] * 300_000)), (400,)),
    Attack("parts of an upload", many_parts, (200, 400, 429), plan={"connections": 64}),
    Attack(
        "uploads in small chunks",
        headed("/files", CHUNKED, kind=FORM),
        (*REFUSED, 408, 413),
        endless=SMALL_CHUNKS,
    ),
    Attack(
        "lists of 10,000",
        gets("/files?limit=10000"),
        (200, 429),
        beside=many_files,
        plan={"connections": 50},
    ),
    Attack(
        "lists of 10,000, abandoned",
        gets("/files?limit=10000"),
        (),
        beside=many_files,
        plan={"connections": 50, "leave": 0.05},
    ),
    Attack(
        "file checks",
        checks_of_tiny_rows,
        (200, 429),
        plan={"connections": 8},
        calls={"check": checked},
        bars={"check": 5.0},
    ),
    Attack(
        "jobs of tiny rows",
        jobs_of_tiny_rows,
        (200, 429),
        beside=jobs_ended,
        calls={"job": validated},
        bars={"job": 15.0},
    ),
]
CATALOG = [
    Attack(
        "a held catalog", upload(b"a"), (200, 503), beside=held_catalog, plan={"connections": 40}
    ),
    Attack(
        "deletions while somebody reads",
        deletions,
        (200, 404),
        beside=foreign_reader,
        calls={"write": stored},
        bars={"write": 2.0},
    ),
    Attack(
        "records that cannot be read",
        gets("/files?limit=10000"),
        (200, 429),
        beside=unreadable_files,
        plan={"connections": 16},
    ),
]
ALL = [*LIGHT, *BODIES, *PROMPTS, *ABANDONED, *DEAF, *SOCKETS, *FILES, *CATALOG]
