import signal
import time

import httpx


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
