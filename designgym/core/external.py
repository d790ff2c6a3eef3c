"""Running other people's programs: argument lists, a time limit, a folder and a process group of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from designgym.core.errors import DesignGymError, InputError, NotInstalledError


class ProgramError(DesignGymError):
    """A program that exited with a code other than 0 or ran out of time; the message starts with the exit code and stderr."""


class ProgramTimeout(ProgramError):
    """A program that was killed because its time was over."""


@dataclass(frozen=True)
class ProgramResult:
    """What a finished program left behind.

    Attributes:
        arguments: The command as run.
        stdout: Standard output as text (undecodable bytes replaced).
        stderr: Standard error as text.
        files: Text of the files asked for, by their name in the program's folder.
        wall_s: Seconds it ran.
    """

    arguments: tuple[str, ...]
    stdout: str
    stderr: str
    files: Mapping[str, str]
    wall_s: float


def run_program(
    arguments: Sequence[str | os.PathLike[str]],
    *,
    timeout_s: float,
    files: Mapping[str, str] | None = None,
    collect: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> ProgramResult:
    """Run a program in a fresh folder and its own process group, and wait for it.

    Args:
        arguments: Program and arguments; never passed through a shell.
        timeout_s: Seconds after which the whole process group is killed.
        files: Input files, written into the folder first: relative name to text.
        collect: Names of output files to read before the folder is removed; one that is missing is an error.
        environment: Variables added to the inherited ones.
        stdin: Text for standard input.

    Raises:
        NotInstalledError: If the program does not exist or is not executable.
        ProgramTimeout: If the time was over.
        ProgramError: If the exit code is not 0 or an output file is missing; exit code and stderr come first.
    """
    command = tuple(os.fspath(argument) for argument in arguments)
    if command and os.sep in command[0]:
        command = (os.path.abspath(command[0]), *command[1:])  # the program runs in another folder
    if not command or timeout_s <= 0:
        raise InputError(f"expected a program and a time limit > 0 s, got {list(command)} and {timeout_s} s")
    with tempfile.TemporaryDirectory(prefix="designgym-") as folder:
        for name, text in (files or {}).items():
            path = _inside(Path(folder), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **(environment or {})}, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace",
            )  # fmt: skip
        except OSError as error:
            raise NotInstalledError(
                f"cannot start {command[0]!r}: {error.strerror or error}; check the path and that it is executable"
            ) from None
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            stderr = _rest_of_stderr(process)
            raise ProgramTimeout(f"{command[0]} ran longer than {timeout_s:g} s and was killed; stderr: {_tail(stderr)}") from None
        except BaseException:
            _kill_group(process)
            process.wait()
            raise
        _kill_group(process)  # children that it left behind
        wall_s = time.perf_counter() - started
        if process.returncode != 0:
            raise ProgramError(f"{command[0]} exited with code {process.returncode}; stderr: {_tail(stderr)}; stdout: {_tail(stdout)}")
        outputs = {}
        for name in collect:
            path = _inside(Path(folder), name)
            if not path.is_file():
                raise ProgramError(f"{command[0]} exited with code 0 but did not write {name!r}; stderr: {_tail(stderr)}")
            outputs[name] = path.read_text(encoding="utf-8", errors="replace")
        return ProgramResult(command, stdout, stderr, outputs, wall_s)


def _rest_of_stderr(process: subprocess.Popen[str]) -> str:
    """Return what a killed program wrote; descendants in sessions of their own may hold the pipe open and are not waited for."""
    try:
        return process.communicate(timeout=1.0)[1]
    except subprocess.TimeoutExpired as error:
        text: bytes | str = error.stderr or b""
        return text.decode(errors="replace") if isinstance(text, bytes) else text


def _kill_group(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # the whole group is gone already


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"file name {name!r} must stay inside the program's folder")
    return path


def _tail(text: str | None, limit: int = 400) -> str:
    text = (text or "").strip()
    return (("..." + text[-limit:]) if len(text) > limit else text) or "(empty)"
