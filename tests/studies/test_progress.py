"""A study shows how far it is unless it is told not to: on standard error, a bar on a terminal and plain lines elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from designgym.core.errors import InputError
from designgym.studies import progress
from designgym.studies.run_report import RunReport
from designgym.studies.study import Study

ENV = "test/Counting-v0"


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Any]:
    return lambda **more: Study("quick", ENV, budget=16, seeds=2, store=tmp_path / "s.db").run(backend="local", **more)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]

    def monotonic() -> float:
        now[0] += 6.0
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", monotonic)
    return now


def test_plain_lines_by_default(study: Callable[..., Any], clock: list[float], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    study()
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and lines[0] == f"quick: 2 runs, 16 evaluations each; kept in {tmp_path / 's.db'}"
    assert any(" of 32 evaluations, best latency_ns = " in line and " s left" in line for line in lines[1:])
    study()
    assert capsys.readouterr().err == "quick: every run is finished already\n"


def test_a_bar_on_a_terminal(study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    study()
    out, err = capsys.readouterr()
    assert out == "" and "32/32" in err and "duplicate" in err


def test_silence_and_a_function_of_ones_own(study: Callable[..., Any], clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    reports: list[RunReport] = []
    study(progress=reports.append)
    assert len(reports) >= 4
    study(progress=False, fresh=True)
    assert capsys.readouterr() == ("", "")
    with pytest.raises(InputError, match="progress is 'bar', expected True, False or a function"):
        study(progress="bar")
