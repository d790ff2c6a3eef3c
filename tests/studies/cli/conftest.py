"""Running the command line in this process, on small environments of a plugin."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from designgym.studies.cli.app import app

PLUGIN = Path(__file__).parent / "toy_environments.py"

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _environment_variables_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {name: value for name, value in os.environ.items() if name.startswith("DESIGNGYM_")}
    for name in before:
        del os.environ[name]
    yield
    for name in [name for name in os.environ if name.startswith("DESIGNGYM_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def plugin() -> Path:
    return PLUGIN


@pytest.fixture
def run() -> Run:
    """Return a function that runs ``designgym ARGUMENTS`` and checks that errors are short and without a traceback."""

    def invoke(*arguments: object, stdin: str | None = None, plugin: bool = True) -> Result:
        shared = ["--plugin", str(PLUGIN)] if plugin else []
        result = CliRunner().invoke(app, [*shared, *map(str, arguments)], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        if "--debug" not in arguments:
            assert "Traceback" not in result.output
            assert len(result.stderr.splitlines()) <= 3, result.stderr
        return result

    return invoke


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes text, or designs as JSON lines, to a file."""

    def to_file(content: str | list[Any], name: str = "designs.jsonl") -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else "".join(json.dumps(item) + "\n" for item in content))
        return path

    return to_file
