"""`user_program`: where a program of the user's is, and what to do if it is not there."""

from pathlib import Path

import pytest

from designgym.core.user_program import executable, given_path


def test_the_option_counts_before_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("THE_TOOL", raising=False)
    assert given_path(None, "THE_TOOL") is None
    monkeypatch.setenv("THE_TOOL", str(tmp_path / "by variable"))
    assert given_path(None, "THE_TOOL") == tmp_path / "by variable"
    assert given_path(tmp_path / "by option", "THE_TOOL") == tmp_path / "by option"
    monkeypatch.chdir(tmp_path)
    assert given_path("tool", "THE_TOOL") == tmp_path / "tool"


def test_what_is_missing_is_said_with_the_remedy(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    assert executable(None, "THE_TOOL", "Build it") == (False, "THE_TOOL is not set. Build it.")
    assert executable(tool, "THE_TOOL", "Build it") == (False, f"there is no file {tool}. Build it.")
    tool.write_text("#!/bin/sh\n")
    assert executable(tool, "THE_TOOL", "Build it") == (False, f"{tool} is not executable. Run `chmod +x {tool}`.")
    tool.chmod(0o755)
    assert executable(tool, "THE_TOOL", "Build it") == (True, str(tool))
