"""Files that must last are written by `durable` alone, so that one package needs the crash-state
model. Whatever else makes, renames or removes files stands here, with its reason."""

import ast
from collections.abc import Iterator

from servers import REPOSITORY

SOURCE = REPOSITORY / "src" / "tunewright"

ALLOWED = {
    # Inside `with durable.directory(...)`, which syncs and lists whatever was put there.
    ("training/saving.py", "save_pretrained"),
    ("training/saving.py", "shutil.copyfile"),
    ("training/checkpoints.py", "save_file"),
    ("weights/peft.py", "save_file"),
    ("exporting/writing.py", "save_pretrained"),
    ("exporting/writing.py", "shutil.copyfile"),
    ("exporting/gguf_files.py", "write_text"),
    ("gguf/writing.py", "open(xb)"),
    ("gguf/weights.py", "open(xb)"),
    ("gguf/convert.py", "write_text"),
    ("gguf/convert.py", "write_bytes"),
    ("fetching/pip.py", "mkdir"),  # where pip writes meanwhile
    ("fetching/wheel.py", "unlink"),  # what was wanted of it stays
    # The hub library's own cache: a part that was given up, a file that is not what it should be,
    # and a large file as far as it has come, compared with its hash when it is whole.
    ("fetching/hub.py", "unlink"),
    ("fetching/hub.py", "mkdir"),
    ("fetching/hub.py", "open(ab)"),
    ("fetching/hub.py", "truncate"),
    # Inside `with durable.scratch(...)`: a base seen with another template.
    ("resources/adding.py", "symlink_to"),
    ("resources/adding.py", "unlink"),
    ("resources/adding.py", "write_text"),
    # The same: an embedding model made ready, with the graph that a child writes there.
    ("resources/embedding_models.py", "mkdir"),
    ("resources/embedding_models.py", "symlink_to"),
    ("resources/embedding_models.py", "shutil.rmtree"),
    ("resources/embedding_models.py", "unlink"),
    ("converting/comparing.py", "mkdir"),
    ("quantizing/making.py", "mkdir"),
    ("quantizing/making.py", "write_bytes"),
    ("resources/fast_embeddings.py", "unlink"),
    ("resources/bases.py", "mkdir"),  # inside `with durable.directory(...)`
    # Locks: what counts is the flock, not the file.
    ("processes.py", "open(ab)"),
    ("work/fine_tune.py", "open(ab)"),  # the folder's lock, and the trainer's log
    ("resources/claims.py", "open(ab)"),  # the same lock
    ("imports/answers.py", "open(ab)"),
    ("work/journal.py", "open(a)"),  # the same log
    # The engine's socket, with a short way to it where the home's is long, and a mark that an
    # engine runs: none says anything after a restart.
    ("serving/keeper.py", "mkdir"),
    ("serving/keeper.py", "symlink_to"),
    ("serving/keeper.py", "touch"),
    ("serving/keeper.py", "unlink"),
    ("serving/__main__.py", "unlink"),
    # Vectors that can be computed again: the oldest tables.
    ("resources/kept_vectors.py", "unlink"),
    # A plain copy in a folder for temporary files.
    ("tables/unpacking.py", "open(wb)"),
    ("documents/parsing/csv.py", "write_bytes"),
    # A child's own standard output.
    ("children.py", "fdopen(wb)"),
    ("documents/parsing/__main__.py", "fdopen(wb)"),
    # Where the database of somebody else writes its file.
    ("vectors/databases/milvus.py", "mkdir"),
    # The demo's throw-away home.
    ("cli/demo/__init__.py", "shutil.rmtree"),
    ("cli/demo/server.py", "mkdir"),
    ("cli/demo/server.py", "open(ab)"),
}

CHANGING = {
    *("write_text", "write_bytes", "mkdir", "makedirs", "touch", "unlink", "rmdir", "rename"),
    *("symlink_to", "hardlink_to", "truncate", "save_file", "save_pretrained", "tofile"),
}
MODULES = {
    "os": {"replace", "rename", "link", "symlink", "remove", "removedirs"},
    "shutil": {"copy", "copy2", "copyfile", "copyfileobj", "copytree", "move", "rmtree"},
}


def writes(source: str) -> Iterator[str]:
    """The calls in `source` that change files."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else _plain(node.func)
        owner = _plain(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if owner == "durable":
            continue
        mode = _mode(node) if name in ("open", "fdopen") else ""
        if set(mode) & set("wax+"):
            yield f"{name}({mode})"
        elif owner in MODULES and name in MODULES[owner]:
            yield f"{owner}.{name}"
        elif name in CHANGING:
            yield name


def _plain(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _mode(node: ast.Call) -> str:
    given = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
    texts = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return next((text for text in texts if set(text) <= set("rwaxbt+")), "")


def test_nobody_else_writes() -> None:
    found = {
        (str(path.relative_to(SOURCE)), call)
        for path in SOURCE.rglob("*.py")
        if path.parent.name != "durable"
        for call in writes(path.read_text())
    }
    assert found - ALLOWED == set(), "write through `durable`, or say here why not"
    assert ALLOWED - found == set(), "no longer done: take it off the list"


def test_a_write_is_seen() -> None:
    code = (
        "open(p, 'w'); p.open('xb'); open(p, mode='a+'); p.open('rb'); p.open(); p.write_text('')\n"
        "os.replace(a, b); shutil.move(a, b); p.rename(q)\n"
        "'a'.replace('b', 'c'); durable.move(a, b)"
    )
    assert list(writes(code)) == [
        "open(w)",
        "open(xb)",
        "open(a+)",
        "write_text",
        "os.replace",
        "shutil.move",
        "rename",
    ]
