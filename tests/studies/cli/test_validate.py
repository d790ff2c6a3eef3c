import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Run = Callable[..., Result]
Write = Callable[..., Path]

TABLE = 'design_id,ways,policy,note,latency\nA,4,lru,"x, y",26\nB,1,fifo,,100.25\n'


@pytest.fixture
def oracle(tmp_path: Path) -> Path:
    folder = tmp_path / "oracle"
    folder.mkdir()
    (folder / "toy_public.csv").write_text(TABLE)
    return folder


def test_equal_tables_exit_with_0(run: Run, oracle: Path) -> None:
    result = run("validate", "toy/Cache-v0", "--oracle", oracle)
    assert result.exit_code == 0, result.stderr
    assert "toy_public.csv: 2 of 2 rows equal" in result.stdout
    assert result.stdout.splitlines()[-1].split() == ["latency", "2", "2", "0.5", "0.25", "0.025", "row", "2"]


def test_an_unequal_row_exits_with_1_and_out_has_our_values(run: Run, write: Write, tmp_path: Path) -> None:
    reference, out = write(TABLE + "C,2,lru,,90\n", "reference.csv"), tmp_path / "out.csv"
    result = run("validate", "toy/Cache-v0", "--reference", reference, "--out", out)
    assert result.exit_code == 1 and "row 3" in result.stdout and "2 of 3 rows equal" in result.stdout
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["ours_latency"] for row in rows] == ["26.0", "100.0", "51.0"]
    assert rows[0]["note"] == "x, y" and rows[1]["latency"] == "100.25"
    again = run("validate", "toy/Cache-v0", "--reference", out, "--out", tmp_path / "again.csv")
    assert again.exit_code == 1 and (tmp_path / "again.csv").read_text() == out.read_text()


def test_out_is_whole_though_nobody_reads_what_is_printed(write: Write, plugin: Path, tmp_path: Path) -> None:
    reference, out = write(TABLE, "reference.csv"), tmp_path / "new" / "folder" / "out.csv"  # made on the way, as for every output
    code = "import sys; from designgym.studies.cli import main; sys.exit(main())"
    command = [sys.executable, "-u", "-c", code, "--plugin", plugin, "validate", "toy/Cache-v0", "--reference", reference, "--out", out]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        result = subprocess.run(list(map(str, command)), stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=120)
    assert result.returncode == 0 and "Traceback" not in result.stderr
    with out.open() as file:
        assert [row["ours_latency"] for row in csv.DictReader(file)] == ["26.0", "100.0"]


@pytest.mark.parametrize("place", ["../shared/oracle from here", "--oracle elsewhere"])
def test_where_reference_outputs_are_looked_for(
    run: Run, oracle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    here = tmp_path / "project"
    here.mkdir()
    monkeypatch.chdir(here)
    if place.startswith("--oracle"):
        result = run("validate", "toy/Cache-v0", "--oracle", oracle)
    else:
        (tmp_path / "shared").mkdir()
        oracle.rename(tmp_path / "shared" / "oracle")
        result = run("validate", "toy/Cache-v0")
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy/Analog-v0"], "no reference outputs"),
        (["toy/Cache-v0", "--oracle", "/no/such/folder"], "--oracle '/no/such/folder'"),
        (["toy/Cache-v0", "--oracle", "."], "no reference table of toy/Cache-v0"),
        (["toy/Cache-v0", "--reference", "/no/such.csv"], "/no/such.csv"),
        (["toy/Cache-v0", "--oracle", ".", "--workloads", "/no/such/folder"], "--workloads '/no/such/folder'"),
        (["toy/Nothing-v0"], "unknown environment"),
    ],
)
def test_bad_input(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[Any], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("validate", *arguments)
    assert result.exit_code == 2 and message in result.stderr


def test_absent_reference_outputs_say_how_to_name_them(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("designgym.__file__", str(tmp_path / "site-packages" / "designgym" / "__init__.py"))
    result = run("validate", "toy/Cache-v0")
    assert result.exit_code == 2 and "--oracle DIR" in result.stderr and "--reference FILE.csv" in result.stderr
