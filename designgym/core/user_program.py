"""Where a program of the user's is: an option, else an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["executable", "given_path"]


def given_path(path: str | os.PathLike[str] | None, variable: str) -> Path | None:
    """Return the absolute path that an option gives, or without one the environment variable; None if neither does."""
    given = os.environ.get(variable, "") if path is None else os.fspath(path)
    return Path(os.path.expanduser(given)).absolute() if given else None


def executable(path: Path | None, variable: str, how_to_get_it: str) -> tuple[bool, str]:
    """Return whether a file can be run, and its path or the remedy.

    Args:
        path: The file, as `given_path` returns it.
        variable: The environment variable, for the message.
        how_to_get_it: The remedy where there is no such file, without a full stop.
    """
    if path is None:
        return False, f"{variable} is not set. {how_to_get_it}."
    if not path.is_file():
        return False, f"there is no file {path}. {how_to_get_it}."
    if not os.access(path, os.X_OK):
        return False, f"{path} is not executable. Run `chmod +x {path}`."
    return True, str(path)
