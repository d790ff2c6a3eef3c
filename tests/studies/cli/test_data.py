from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from designgym.simulators.dram.workloads.library import find_workload

Run = Callable[..., Result]

TRACE = "0:\tread\t0x0\n4:\twrite\t0x40\n8:\tread\t0x80\n"


def test_traces_are_imported_checked_and_found(run: Run, tmp_path: Path) -> None:
    source, to = tmp_path / "clone", tmp_path / "data"
    source.mkdir()
    (source / "mine.stl").write_text(TRACE)
    (source / "broken.stl").write_text(TRACE + "9:\tread\tzero\n")
    result = run("data", "import", "dram", source, "--to", to)
    assert result.exit_code == 0, result.stderr
    assert "mine" in result.stdout and "imported" in result.stdout
    assert "refused broken.stl: " in result.stderr and "line 4" in result.stderr and f"--workloads {to}" in result.stderr
    assert len(find_workload("mine", directories=[to])) == 3
    assert "unchanged" in run("data", "import", "dram", source / "mine.stl", "--to", to).stdout


def test_the_first_data_folder_is_the_default(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESIGNGYM_DATA", str(tmp_path / "data"))
    (tmp_path / "mine.stl").write_text(TRACE)
    assert run("data", "import", "dram", tmp_path / "mine.stl").exit_code == 0
    assert len(find_workload("mine")) == 3


def test_bad_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.stl").write_text(TRACE + "9:\tread\tzero\n")
    for arguments, code, message in [
        (["azur", tmp_path], 2, "unknown kind of data 'azur'"),
        (["dram", tmp_path / "nothing", "--to", tmp_path], 2, "does not exist"),
        (["dram", tmp_path / "broken.stl", "--to", tmp_path / "to"], 2, "line 4"),
        (["dram", tmp_path, "--to", tmp_path / "to"], 1, "refused broken.stl"),
        (["dram", tmp_path], 2, "DESIGNGYM_DATA"),
    ]:
        result = run("data", "import", *arguments)
        assert result.exit_code == code and message in result.stderr, (arguments, result.stderr)
