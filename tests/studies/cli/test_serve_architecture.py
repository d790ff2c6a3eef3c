"""``designgym serve-architecture``: any OpenAI client talks to an architecture as to a model."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from typer.testing import Result

from tests.simulators.archon.faulty_endpoint import FaultyEndpoint, echo

TWO = [{"type": "generator", "model": "m", "samples": 2, "max_tokens": 50}]
FUSED: dict[str, Any] = {"name": "two-fused", "layers": [TWO, [{"type": "fuser", "model": "m", "max_tokens": 50}]]}


def command(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DESIGNGYM_")} | variables
    return subprocess.Popen(
        [sys.executable, "-m", "designgym", "serve-architecture", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> str:
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(FUSED))
    return str(path)


@pytest.fixture
def upstream() -> Iterator[FaultyEndpoint]:
    with FaultyEndpoint([echo]) as server:
        yield server


def free_port() -> str:
    from designgym.simulators.serving.live.server_process import free_port as found

    return str(found())


def test_a_client_talks_to_it_as_to_a_model(written: str, upstream: FaultyEndpoint) -> None:
    port = free_port()
    process = command(written, "--url", upstream.url, "--port", port)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "two-fused: 3 calls of m an answer at most\n"
        assert re.match(rf"serving at http://127.0.0.1:{port}/v1", process.stdout.readline())
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=8)
        answer = client.chat.completions.create(model="two-fused", messages=[{"role": "user", "content": "how much is it"}])
        text = answer.choices[0].message.content
        assert text is not None and text.startswith("re: Question:\nhow much is it")
        assert answer.usage is not None and answer.usage.prompt_tokens == 3 * 7 and answer.usage.completion_tokens == 3 * 3
        pieces = client.chat.completions.create(
            model="two-fused", messages=[{"role": "user", "content": "how much is it"}], stream=True
        )  # fmt: skip
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == text
        with pytest.raises(openai.NotFoundError, match="other"):
            client.chat.completions.create(model="other", messages=[{"role": "user", "content": "x"}])
        assert [model.id for model in client.models.list()] == ["two-fused"]
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, [], "where are its models? Give --url, or set DESIGNGYM_ENDPOINT"),
        ({}, ["--url", "ftp://x"], "expected http:// or https://"),
        ({"layers": [FUSED["layers"][1]]}, ["--url", "http://x/v1"], "layer 0 has a fuser: it needs candidates"),
        ({"layers": [[{"type": "oracle", "model": "m"}]]}, ["--url", "http://x/v1"], "unknown type of component 'oracle'"),
        ({}, ["--url", "http://x/v1", "--host", "0.0.0.0"], "can be reached from other machines: set DESIGNGYM_TOKEN"),
        ({}, ["--url", "http://x/v1", "--key-variable", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(
    tmp_path: Path, run: Callable[..., Result], change: dict[str, Any], arguments: list[str], message: str
) -> None:
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps({**FUSED, **change}))
    result = run("serve-architecture", path, *arguments, plugin=False)
    assert result.exit_code == 2 and message in result.stderr


def test_an_order_of_archon_s_own_needs_a_word(tmp_path: Path, run: Callable[..., Result]) -> None:
    tests_first = {"layers": [[{"type": "unit_test_generator", "model": "m"}], TWO, [{"type": "fuser", "model": "m"}]]}
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(tests_first))
    result = run("serve-architecture", path, "--url", "http://x/v1", plugin=False)
    assert result.exit_code == 2 and "--any-order runs it all the same" in result.stderr
