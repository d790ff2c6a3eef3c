"""Running other people's programs: argument lists, a time limit, a folder and a process group of their own."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import numbers
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from designgym.core.errors import DesignGymError, InputError, NotInstalledError, shorten

OUTPUT_LIMIT_MIB = 64  # of standard output, and of standard error, that one program may write: a runaway must not fill the memory
CHUNK_BYTES = 1 << 16  # as much as a pipe holds
POLL_S = 0.05  # how soon the end of a program is seen whose children hold its output open; the end of others is seen at once
GRACE_S = 1.0  # given to a killed program to vanish


class ProgramError(DesignGymError):
    """A program that failed, ran out of time or wrote too much; the message starts with the exit code and stderr."""


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
    environment: Mapping[str, str | os.PathLike[str]] | None = None,
    stdin: str = "",
) -> ProgramResult:
    """Run a program in a fresh folder and its own process group, and wait for it.

    The run is over when the program itself ends. Children that it left behind are killed then, and what they had not yet written is
    lost: a script that wants their output waits for them. Only a descendant that moved to a session of its own (``setsid``, a daemon)
    escapes; it is neither killed nor waited for.

    Args:
        arguments: Program and arguments, one text or path each; never passed through a shell.
        timeout_s: Seconds after which the whole process group is killed.
        files: Input files, written into the folder first: relative name to text.
        collect: Names of output files to read before the folder is removed; one that is missing is an error.
        environment: Variables added to the inherited ones.
        stdin: Text for standard input.

    Raises:
        InputError: If an argument of this function cannot be used.
        NotInstalledError: If the program does not exist or is not executable.
        ProgramTimeout: If the time was over.
        ProgramError: If the exit code is not 0, an output file is missing, or standard output or standard error is larger than
            `OUTPUT_LIMIT_MIB` (the program is then killed at once); exit code and stderr come first.
    """
    command = _checked_command(arguments)
    limit_s = _checked_limit(timeout_s)
    variables = _checked_environment({} if environment is None else environment)
    if isinstance(collect, str) or not isinstance(collect, Sequence):
        raise InputError(f"collect must be a list of file names, got {shorten(collect)}; write collect=['report.txt']")
    if files is not None and not isinstance(files, Mapping):
        raise InputError(f"files must map file names to texts, got {shorten(files)}; write files={{'config.json': text}}")
    # A descendant that escaped may still write into the folder: that it cannot be removed must not cost the result.
    with (
        tempfile.TemporaryDirectory(prefix="designgym-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as source,
    ):
        source.write(_encoded("stdin", stdin))
        source.seek(0)
        for name, text in (files or {}).items():
            path = _inside(Path(folder), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_encoded(f"the text of file {name!r}", text))
        for name in collect:
            _inside(Path(folder), name)  # refused before hours are spent
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **variables}, start_new_session=True,
                stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            )  # fmt: skip
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise InputError(
                    f"arguments and environment are longer than the system allows ({sum(map(len, command))} characters in arguments); "
                    "pass long texts by `files` or `stdin`"
                ) from None
            raise NotInstalledError(
                f"cannot start {command[0]!r}: {error.strerror or error}; check the path and that it is executable"
            ) from None
        output = _Output(process)
        try:
            ended = output.follow(limit_s)
        finally:
            _kill(process)  # and the children that it left behind
            output.finish()
        wall_s = time.perf_counter() - started
        stdout, stderr = output.text("stdout"), output.text("stderr")
        if flooded := output.flooded:
            raise ProgramError(
                f"{command[0]} wrote more than {OUTPUT_LIMIT_MIB} MiB, the limit, to {flooded}; make it say less, or write to a file "
                f"named in `collect`; stderr: {_tail(stderr)}"
            )
        if not ended:
            raise ProgramTimeout(f"{command[0]} ran longer than {limit_s:g} s and was killed; stderr: {_tail(stderr)}")
        if process.returncode != 0:
            raise ProgramError(f"{command[0]} exited with code {process.returncode}; stderr: {_tail(stderr)}; stdout: {_tail(stdout)}")
        outputs = {}
        for name in collect:
            path = _inside(Path(folder), name)
            if not path.is_file():
                raise ProgramError(f"{command[0]} exited with code 0 but did not write {name!r}; stderr: {_tail(stderr)}")
            outputs[name] = path.read_text(encoding="utf-8", errors="replace")
        return ProgramResult(command, stdout, stderr, outputs, wall_s)


class _Output:
    """What a program writes to its two pipes, read as it comes and up to a limit.

    The end of the output is no sign of the program's end: children that outlive it may hold the pipes open for hours.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None and process.stderr is not None
        self._process = process
        self._pipes = {"stdout": process.stdout, "stderr": process.stderr}
        self._read = {name: bytearray() for name in self._pipes}
        self._selector = selectors.DefaultSelector()
        for name, pipe in self._pipes.items():
            self._selector.register(pipe, selectors.EVENT_READ, name)

    @property
    def flooded(self) -> str | None:
        """The stream that is over the limit, if one is."""
        return next((name for name, data in self._read.items() if len(data) > OUTPUT_LIMIT_MIB << 20), None)

    def follow(self, limit_s: float) -> bool:
        """Read until the program ends; False if it is still running because its time is over or it wrote too much."""
        deadline = time.monotonic() + limit_s
        while not self.flooded:
            left_s = max(0.0, deadline - time.monotonic())
            if self._selector.get_map():
                self._take(min(POLL_S, left_s))
            else:  # nothing more can come, and the end is most likely near
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(left_s)
            if self._process.poll() is not None:
                return True
            if not left_s:
                return False
        return False

    def finish(self) -> None:
        """Take what the pipes hold now, no more (a descendant that escaped may go on writing), and close them."""
        self._selector.close()
        for name, pipe in self._pipes.items():
            held_bytes = int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
            self._read[name] += os.read(pipe.fileno(), held_bytes)
            pipe.close()

    def text(self, name: str) -> str:
        """Return a stream as text in which every line end is a newline character."""
        return self._read[name].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")

    def _take(self, wait_s: float) -> None:
        """Keep what comes first within ``wait_s``."""
        for key, _ in self._selector.select(wait_s):
            data = os.read(key.fd, CHUNK_BYTES)
            if not data:
                self._selector.unregister(key.fileobj)
            self._read[key.data] += data


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the process group, and collect the program's exit code."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the whole group is gone already
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel (a dead network disk): not waited for
        process.wait(GRACE_S)


def _checked_command(arguments: object) -> tuple[str, ...]:
    if isinstance(arguments, str | bytes) or not isinstance(arguments, Sequence):
        raise InputError(
            f"arguments must be a list with the program and each of its arguments, got {shorten(arguments)}; "
            "write ['program', '--option', 'value'], or split a command line with shlex.split"
        )
    command = tuple(_checked_text(f"arguments[{index}]", argument) for index, argument in enumerate(arguments))
    if not command or not command[0]:
        raise InputError(f"arguments must start with the program to run, got {shorten(arguments)}; write ['program', '--option', 'value']")
    # The program runs in another folder, so a relative path is made absolute.
    return (os.path.abspath(command[0]), *command[1:]) if os.sep in command[0] else command


def _checked_limit(timeout_s: object) -> float:
    if isinstance(timeout_s, numbers.Real) and not isinstance(timeout_s, bool):
        with contextlib.suppress(OverflowError):  # an integer beyond every float
            limit_s = float(timeout_s)
            if limit_s > 0 and math.isfinite(limit_s):
                return limit_s
    raise InputError(f"timeout_s must be a finite number of seconds > 0, got {shorten(timeout_s)}; a day is 86400")


def _checked_environment(environment: object) -> dict[str, str]:
    if not isinstance(environment, Mapping):
        raise InputError(f"environment must map names of variables to texts, got {shorten(environment)}; write {{'NAME': 'value'}}")
    for name in environment:
        if not isinstance(name, str) or not name or "=" in name:
            raise InputError(f"environment: a variable's name must be a text without '=', got {shorten(name)}; write {{'NAME': 'value'}}")
        _checked_text("a name in environment", name)
    return {name: _checked_text(f"environment[{name!r}]", value) for name, value in environment.items()}


def _checked_text(what: str, value: object) -> str:
    """Return a text that the system can hand to a program."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise InputError(f"{what} must be a text or a path, got {shorten(value)} of type {type(value).__name__}; write str(...) around it")
    if "\0" in text:
        raise InputError(f"{what} must not contain a NUL character, at which programs stop reading, got {shorten(text)}; remove it")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} must be text that the system's encoding {error.encoding} can write, got {shorten(text)}; "
            f"remove {text[error.start : error.end]!r}"
        ) from None
    return text


def _encoded(what: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise InputError(f"{what} must be a text, got {shorten(text)} of type {type(text).__name__}; write str(...) around it or decode it")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} must be text that UTF-8 can write, got {shorten(text)}; remove {text[error.start : error.end]!r}"
        ) from None


def _inside(folder: Path, name: object) -> Path:
    root = folder.resolve()
    path = (root / _checked_text("a file name", name)).resolve()
    if path == root or not path.is_relative_to(root):
        raise InputError(f"file name {name!r} must stay inside the program's folder; write a relative name without '..'")
    return path


def _tail(text: str, limit: int = 400) -> str:
    text = text.strip()
    return (("..." + text[-limit:]) if len(text) > limit else text) or "(empty)"
