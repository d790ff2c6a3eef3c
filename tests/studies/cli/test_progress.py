import pytest

from designgym.studies.cli import progress
from designgym.studies.cli.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_now_and_then_where_there_is_no_terminal(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("designs", 4000) as shown:
        for _ in range(4):
            clock[0] += 6.0
            shown.advance(1000)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "2,000 of 4,000 designs, about 12 s left\n")


@pytest.mark.parametrize(("seconds", "bar", "shows"), [(1.0, True, False), (6.0, True, True), (6.0, False, False)])
def test_a_bar_for_long_work_on_a_terminal(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: float, bar: bool, shows: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Progress("designs", 4000, bar=bar) as shown:
        clock[0] += seconds
        shown.advance(1000)
    captured = capsys.readouterr()
    assert captured.out == "" and ("1000/4000" in captured.err) == shows
