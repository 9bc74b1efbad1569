import re
import signal
import time

import httpx

from tunewright import Tunewright
from tunewright.cli.serve import welcome
from tunewright.settings import Settings


def test_the_lines_to_copy_and_what_answers(tmp_path, capsys):
    aliases = {"gpt-4o*": "builtin-chat", "ours": "gone", "text-embedding-3-*": "builtin-mini"}
    tw = Tunewright(settings=Settings.read(tmp_path, aliases=aliases))
    welcome(tw, "http://127.0.0.1:1/v1")
    first = capsys.readouterr().out
    block = re.findall(r"^  export (\w+)=(.+)$", first, re.MULTILINE)
    url = "http://127.0.0.1:1/v1"
    assert block[:2] == [("OPENAI_BASE_URL", url), ("OPENAI_API_BASE", url)]
    assert block[2][0] == "OPENAI_API_KEY"
    assert "gpt-4o*: answered by builtin-chat, a tiny built-in model" in first
    assert "ours: answered by gone, which does not exist here." in first
    assert f'in {tmp_path / "settings.toml"}, under [aliases]: "gpt-3.5-turbo*" = "NAME"' in first
    welcome(tw, url)
    later = capsys.readouterr().out
    assert re.findall(r"^  export (\w+)=(.+)$", later, re.MULTILINE) == block[:2]
    assert block[2][1] not in later


def test_the_first_start_shows_a_key_and_later_ones_do_not(new_server, run):
    first = new_server()
    key = {"authorization": f"Bearer {first.key}"}
    assert httpx.get(f"{first.url}/models", headers=key).status_code == 200

    refused = run("serve", "--home", str(first.home), "--port", "0", code=1)
    assert "Another server runs" in refused.stderr

    began = time.monotonic()
    first.stop(signal.SIGTERM)
    assert time.monotonic() - began < 10

    second = new_server(key=first.key)
    assert httpx.get(f"{second.url}/models", headers=key).status_code == 200
