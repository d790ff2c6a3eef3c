"""Stores that cannot be used: one clear error, and the file is left as it was."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]

COMMANDS = {
    "studies": ["studies"],
    "show": ["show", "some-study"],
    "export": ["export", "some-study", "--to", "OUT/trials.csv"],
    "report": ["report", "some-study", "--html", "OUT/report.html"],
    "search": ["search", "toy/Cache-v0", "--searcher", "random", "--budget", "2", "--seed", "1"],
}


def make_store(kind: str, path: Path, run: Run) -> str:
    """Make a store of a kind at a path, and return what its error must say."""
    if kind == "text":
        path.write_text("not a database at all, but long enough to be one\n" * 50)
        return "not a designgym store"
    if kind == "another database":
        connection = sqlite3.connect(path)
        connection.execute("create table mine (x)")
        connection.commit()
        connection.close()
        return "not a designgym store"
    if kind == "folder":
        path.mkdir()
        return str(path.name)
    assert kind == "newer"
    made = run("search", "toy/Cache-v0", "--searcher", "random", "--budget", "2", "--seed", "0", "--store", path)
    assert made.exit_code == 0, made.output
    connection = sqlite3.connect(path)
    name, value = [row[1] for row in connection.execute("pragma table_info(designgym_meta)")]
    changed = connection.execute(f"update designgym_meta set {value} = '999' where {name} = 'schema_version'")
    assert changed.rowcount == 1
    connection.commit()
    connection.close()
    return "newer"


@pytest.mark.parametrize("kind", ["text", "another database", "folder", "newer"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_that_cannot_be_used_is_left_as_it_is(run: Run, tmp_path: Path, command: str, kind: str) -> None:
    path = tmp_path / "store.db"
    says = make_store(kind, path, run)
    before = path.read_bytes() if path.is_file() else b""
    result = run(*(part.replace("OUT", str(tmp_path)) for part in COMMANDS[command]), "--store", path)
    assert result.exit_code in (1, 2) and result.stdout == ""
    assert says in result.stderr and "error: " in result.stderr
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert not (tmp_path / "trials.csv").exists() and not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "search"])
def test_a_store_that_is_not_there_is_not_made(run: Run, tmp_path: Path, command: str) -> None:
    path = tmp_path / "none.db"
    result = run(*(part.replace("OUT", str(tmp_path)) for part in COMMANDS[command]), "--store", path)
    assert result.exit_code in (1, 2) and "no store" in result.stderr and not path.exists()


def test_a_study_that_is_not_there(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    made = run("search", "toy/Cache-v0", "--searcher", "random", "--budget", "2", "--seed", "0", "--store", path, "--name", "mine")
    assert made.exit_code == 0, made.stderr
    assert run("show", "mine", "--store", path).exit_code == 0
    result = run("show", "mien", "--store", path)
    assert result.exit_code == 2 and "did you mean 'mine'" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only folders")
def test_a_folder_that_is_read_only(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    result = run(*COMMANDS["search"], "--store", folder / "store.db")
    assert result.exit_code in (1, 2) and "read-only" in result.stderr
