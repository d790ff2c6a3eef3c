"""Ctrl-C during a search: what was found is shown, and what is kept is told truthfully."""

import json
from pathlib import Path

import pytest

INTERRUPTING = """
import designgym as dg

calls = []


@dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 99)), metrics=["cost_ns"], version="1")
def interrupting(design, workload, *, seed):
    calls.append(design["a"])
    if len(calls) == {after}:
        raise KeyboardInterrupt
    return {{"cost_ns": float(design["a"])}}


dg.register("test/Interrupting{name}-v0", interrupting, workloads={{"w": 1}}, objective=dg.minimize("cost_ns"))
"""


def search(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, after: int, *more: str) -> tuple[int, str, str]:
    from designgym.studies.cli.app import app

    (plugin := tmp_path / f"{name}.py").write_text(INTERRUPTING.format(name=name, after=after))
    with pytest.raises(SystemExit) as ended:
        app(["search", f"test/Interrupting{name}-v0", "--plugin", str(plugin), "--budget", "24", "--batch", "8", *more])
    out, err = capsys.readouterr()
    code = ended.value.code
    return (code if isinstance(code, int) else 0), out, err


def test_without_a_store_the_best_so_far_is_shown_and_nothing_is_said_to_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = search(tmp_path, capsys, "A", 20)
    assert code == 130
    assert "interrupted: 16 of 24 evaluations were made; none is kept: that takes --store FILE" in err and "in the store" not in err
    assert "best designs" in out and "interrupted" in out


def test_with_json_the_part_that_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = search(tmp_path, capsys, "B", 20, "--json")
    found = json.loads(out)
    assert code == 130 and found["interrupted"] is True and found["evaluations"] == len(found["trials"]) == 16
    assert found["best"]["metrics"]["cost_ns"] == min(trial["metrics"]["cost_ns"] for trial in found["trials"])
    assert len([line for line in err.splitlines() if line.startswith("interrupted: ")]) == 1


def test_with_a_store_the_same_command_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "kept.db")
    code, _, err = search(tmp_path, capsys, "C", 20, "--store", store)
    assert code == 130 and f"they are in {store}; the same command goes on from there" in err
    from designgym.studies.cli.app import app

    with pytest.raises(SystemExit) as ended:
        app(["search", "test/InterruptingC-v0", "--budget", "24", "--batch", "8", "--store", store, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert not ended.value.code and found["evaluations"] == 24 and found["interrupted"] is False


def test_before_the_first_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = search(tmp_path, capsys, "D", 1, "--json")
    assert code == 130 and json.loads(out)["best"] is None and "interrupted: 0 of 24 evaluations were made" in err
