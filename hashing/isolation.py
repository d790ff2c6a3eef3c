"""Observing a candidate in a process that may be killed, whatever it does: loops in C, a crash, ``os._exit``.

One process (`designgym.hashing.isolation_server`) waits beside this one, with everything imported, and forks for each candidate: that
takes milliseconds, and no candidate meets what another one left behind. It ends with this process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import cloudpickle

from designgym.core.errors import EvaluationError, InputError, shorten
from designgym.core.fingerprint import DIGEST_BYTES, Fingerprint
from designgym.hashing.messages import receive, send
from designgym.hashing.observation import Plan

START_S = 120.0  # for the server to start, and for a candidate to be loaded: that may import a lot
GRACE_S = 2.0  # beyond the time limit, in which the process may still end its call by itself

_lock = threading.Lock()
_server: _Server | None = None


class _Server:
    """The waiting process, and the connection to it and to the processes that it forks."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        code = f"from designgym.hashing.isolation_server import serve; serve({theirs.fileno()})"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            pass_fds=[theirs.fileno()], env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process; and candidates are killed as a group
        )  # fmt: skip
        theirs.close()
        self.channel = ours
        self.owner = os.getpid()

    def kill(self) -> None:
        """End the server, the candidate that runs, and what that started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.channel.close()


def observe_isolated(plan: Plan, report: Callable[[Fingerprint], None], memory_limit_bytes: int | None) -> None:
    """Do as `designgym.hashing.observation.observe`, in another process, which may allocate so much.

    Raises:
        InputError: Also if the candidate or an example cannot be sent, or the system cannot fork.
        EvaluationError: If the other process cannot be started.
    """
    if not hasattr(os, "fork"):
        raise InputError("isolate=True needs a system that can fork (Linux, macOS): pass isolate=False")
    try:
        request = cloudpickle.dumps((sys.path, _modules(plan), memory_limit_bytes, cloudpickle.dumps(plan)))
    except Exception as error:
        raise InputError(
            f"{shorten(plan.candidate)} or its examples cannot be sent to another process ({type(error).__name__}: {error}): "
            "pass isolate=False, or define it without open files, locks and generators"
        ) from None
    with _lock:
        server = _running_server()
        in_order = False
        try:
            try:
                with contextlib.suppress(OSError):
                    send(server.channel, b"plan", request)
                _observe(server.channel, plan, report)
            finally:
                in_order = _drained(server.channel)
        finally:
            if not in_order:
                _end_server()


def _modules(plan: Plan) -> list[str]:
    """Return the modules that the server may import once, instead of each candidate's process: those that this one has, too."""
    named = {getattr(plan.candidate, "__module__", None), type(plan.candidate).__module__, "torch"}
    return sorted(name for name in named if name in sys.modules and name != "__main__" and isinstance(name, str))


def _running_server() -> _Server:
    global _server
    if _server is not None and (_server.owner != os.getpid() or _server.process.poll() is not None):
        _server = None  # that of the process which forked this one, or one that a candidate has killed
    if _server is None:
        _server = _Server()
        if receive(_server.channel, START_S)[0] != b"up  ":
            _end_server()
            raise EvaluationError(f"the process for isolated candidates did not start: {sys.executable} cannot import designgym")
    return _server


@atexit.register
def _end_server() -> None:
    global _server
    if _server is not None and _server.owner == os.getpid():
        _server.kill()
    _server = None


def _observe(channel: socket.socket, plan: Plan, report: Callable[[Fingerprint], None]) -> None:
    """Report the calls, until the candidate has ended in one way or another."""
    kind, content = receive(channel, START_S)
    if kind == b"late":
        raise InputError(f"{shorten(plan.candidate)} was not loaded by another process within {START_S:.0f} s: pass isolate=False")
    limit_s = None if plan.time_limit_s is None else plan.time_limit_s + GRACE_S
    while kind != b"done":
        if kind == b"call":
            report(Fingerprint(content[:DIGEST_BYTES], content[DIGEST_BYTES:]))
        elif kind == b"bad ":
            raise InputError(content.decode())
        elif kind == b"fail":
            raise EvaluationError(content.decode())
        elif kind == b"stop":
            raise KeyboardInterrupt
        elif kind != b"load":
            report(plan.fingerprint(["timeout" if kind == b"late" else "died"]))
            return
        kind, content = receive(channel, limit_s)


def _drained(channel: socket.socket) -> bool:
    """End the candidate's process; return whether the server is ready for the next one."""
    with contextlib.suppress(OSError):
        send(channel, b"kill")
    while (kind := receive(channel, GRACE_S)[0]) not in (b"next", b"late", b"gone"):
        pass
    return kind == b"next"
