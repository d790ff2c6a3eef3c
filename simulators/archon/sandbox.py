"""`run_python`: runs programs that nobody trusts, such as those that models write, without harm, and says what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from designgym.core.errors import DesignGymError, InputError, shorten

__all__ = ["guards", "run_python"]

PROGRAM = Path(__file__).with_name("sandboxed_program.py")
NAMESPACES = ("--user", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
START_S = 60.0  # given to the interpreter to start, on a busy machine; the program's own time begins after it
GRACE_S = 5.0  # given to killed processes to vanish
OUTPUT_BYTES = 1 << 16  # of what the sandbox may say
LEAST_MIB = 64
LONGEST_S = 86400.0

_slots: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


async def run_python(code: str, *, timeout_s: float = 10.0, memory_mib: int = 512) -> str:
    """Run a program in a sandbox and return what went wrong, in a few words; nothing if it came to its end.

    It counts as ended well only if its last statement was passed: ``os._exit(0)`` or ``sys.exit()`` before that is an error. Its module is
    not called ``__main__``, so that examples under that condition do not run. It has the standard library, no other packages, nothing to
    read on standard input, and what it prints is thrown away. As many programs as there are processors run at once; others wait, which
    does not count as their time. Strings hash alike in all runs.

    What holds everywhere: a folder of its own, an environment with nothing in it but its place, its own process group, which is killed at
    the end, limits of time (wall and processor), address space, size and number of files; the interpreter itself refuses sockets, other
    programs and processes, native libraries, and changes of files outside of the folder. Somebody who sets out to break an interpreter
    gets around the latter.

    What holds on Linux besides, where the kernel allows it (see `guards`): with ``namespaces`` (of users, by ``unshare`` of util-linux)
    there is no network and no other process to see, and no child survives, whatever it does; with ``landlock`` no file outside of the
    folder can be written, none but those of Python and the system's libraries read (so no secret in a file, nor another process'
    environment), and no other program started. Number of processes: bounded by the user's limit, which root does not have, so that for
    root a bomb of processes that gets around the interpreter ends with the time only. A program that sets out to deceive can find in its
    own memory how success is told: what it returns is an answer to be graded, no proof.

    Args:
        code: The program.
        timeout_s: Seconds that it may run, from its first statement.
        memory_mib: Address space that each process may have, with the interpreter's own (about 30 MiB).

    Raises:
        InputError: If an argument cannot be used.
        DesignGymError: If the sandbox itself cannot start.
    """
    if not isinstance(code, str):
        raise InputError(f"code is {shorten(code)}, expected a program as text")
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= LONGEST_S:
        raise InputError(f"timeout_s is {shorten(timeout_s)}, expected seconds above 0 and up to {LONGEST_S:g}")
    if isinstance(memory_mib, bool) or not isinstance(memory_mib, int) or not LEAST_MIB <= memory_mib <= 1 << 20:
        raise InputError(f"memory_mib is {shorten(memory_mib)}, expected a whole number from {LEAST_MIB} to {1 << 20}")
    async with _slot(), _started(code, timeout_s, memory_mib) as (process, token, _):
        assert process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                found = await _report(process.stdout, token)
                if found is None:
                    return _ended(await process.wait(), timeout_s)
                return found
        except TimeoutError:
            return f"no end within {timeout_s:g} s"


async def guards() -> tuple[str, ...]:
    """Return what guards programs on this machine, of ``namespaces``, ``limits``, ``audit`` and ``landlock``; see `run_python`."""
    async with _slot(), _started("", 10.0, 512) as (_, _, inside):
        return (*(("namespaces",) if _prefix() else ()), *inside)


@contextlib.asynccontextmanager
async def _started(code: str, timeout_s: float, memory_mib: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, tuple[str, ...]]]:
    """Start a program, up to its first statement; yield the process, how it tells its end, and its guards. Nothing of it is left after."""
    token = secrets.token_hex(16)
    request = f"{token} {memory_mib << 20} {math.ceil(timeout_s) + 1}\n".encode() + code.encode("utf-8", "surrogatepass")
    with tempfile.TemporaryDirectory(prefix="designgym-sandbox-", ignore_cleanup_errors=True) as folder:
        # without -I, which would ignore the hash seed, but with all that it means: the environment is nobody's
        process = await asyncio.create_subprocess_exec(
            *_prefix(), sys.executable, "-P", "-s", "-S", "-B", str(PROGRAM), cwd=folder, start_new_session=True, limit=OUTPUT_BYTES,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={"HOME": folder, "TMPDIR": folder, "PATH": "", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"},
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        init: list[int] = []
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(request)
                await process.stdin.drain()
            process.stdin.close()
            try:
                inside = await asyncio.wait_for(process.stdout.readline(), START_S)
            except TimeoutError:
                raise DesignGymError(f"the sandbox did not start within {START_S:g} s: is the machine overloaded?") from None
            if not inside.endswith(b"\n"):
                code_of_exit = await process.wait()
                raise DesignGymError(f"the sandbox did not start (exit code {code_of_exit}): can {sys.executable} run {PROGRAM}?")
            init = _children(process.pid) if _prefix() else []
            yield process, token, tuple(inside.decode().split())
        finally:
            if init and process.returncode is None:  # first the whole namespace, so that `unshare` collects it and no zombie is left
                _kill(os.kill, init)
                await _gone(process)
            _kill(os.killpg, [process.pid])
            await _gone(process)
            process._transport.close()  # type: ignore[attr-defined]  # a child that escaped may hold the pipe open


async def _report(stream: asyncio.StreamReader, token: str) -> str | None:
    """Return what the sandbox says of the program's end; None if it says nothing. What the program itself says there is ignored."""
    read, wanted = b"", token.encode()
    while chunk := await stream.read(OUTPUT_BYTES):
        read = (read + chunk)[-OUTPUT_BYTES:]
        _, found, error = read.rpartition(wanted)
        if found and error.endswith(b"\n"):
            return error.decode("utf-8", "replace").strip()
    return None


def _ended(code: int, timeout_s: float) -> str:
    if code == -signal.SIGXCPU:
        return f"no end within {timeout_s:g} s"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended early with exit code {code}"


@contextlib.asynccontextmanager
async def _slot() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    if loop not in _slots:
        _slots[loop] = asyncio.Semaphore(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    async with _slots[loop]:
        yield


@functools.cache
def _prefix() -> tuple[str, ...]:
    """Return how to start a program in namespaces of its own; nothing if this machine does not allow it."""
    unshare, true = shutil.which("unshare"), shutil.which("true")
    if not sys.platform.startswith("linux") or unshare is None or true is None:
        return ()
    command = (unshare, *NAMESPACES, "--")
    try:
        allowed = subprocess.run((*command, true), capture_output=True, timeout=GRACE_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if allowed else ()


def _children(pid: int) -> list[int]:
    """Return a process' children: the first of a namespace, with which all in it die."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill(how: Callable[[int, int], None], numbers: list[int]) -> None:
    for number in numbers:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            how(number, signal.SIGKILL)


async def _gone(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), GRACE_S)
