"""What cannot be used as a setting is named, with the place where it was given."""

from pathlib import Path

import pytest

from tunewright.errors import BadRequest
from tunewright.settings import Settings


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("prot = 9", "settings.toml: unknown setting 'prot': did you mean 'port'?"),
        ("zzz = 9", "settings.toml: unknown setting 'zzz'. The settings are: home, host, port"),
        ('home = "/x"', "settings.toml: 'home' cannot be set in this file"),
        (
            'port = "x"',
            "settings.toml, 'port' cannot be used: it must be a valid integer, not 'x'.",
        ),
        ('[aliases]\n"a*b" = "c"', "settings.toml, 'aliases' cannot be used: 'a*b'"),
        ("port = ", "is not valid TOML"),
    ],
)
def test_of_the_file(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "settings.toml").write_text(line)
    with pytest.raises(BadRequest) as caught:
        Settings.read(tmp_path)
    assert said in caught.value.message
    assert str(tmp_path) in caught.value.message


def test_of_the_environment_and_of_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("TUNEWRIGHT_PORT", "x")
    with pytest.raises(BadRequest, match="the variable TUNEWRIGHT_PORT cannot be used"):
        Settings.read()
    with pytest.raises(BadRequest, match="--port cannot be used"):
        Settings.read(port=70_000)
    monkeypatch.delenv("TUNEWRIGHT_PORT")
    monkeypatch.setenv("TUNEWRIGHT_PROT", "9")
    with pytest.raises(BadRequest, match="TUNEWRIGHT_PROT: did you mean TUNEWRIGHT_PORT"):
        Settings.read()
