"""The process that waits for candidates and forks for each of them; see `designgym.hashing.isolation`."""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import resource
import signal
import socket
import sys
import traceback

from designgym.core.errors import InputError
from designgym.hashing.messages import receive, send
from designgym.hashing.observation import observe

LOOK_S = 0.002  # between looks whether the candidate's process has ended


def serve(file_descriptor: int) -> None:
    """Fork for one candidate after the other, until the other end of the channel is closed."""
    channel = socket.socket(fileno=file_descriptor)
    send(channel, b"up  ")
    while (message := receive(channel, None))[0] == b"plan":
        path, modules, memory_limit_bytes, plan = pickle.loads(message[1])
        sys.path[:] = path
        for module in modules:
            with contextlib.suppress(Exception):  # whatever it is, the candidate's process will meet it again
                importlib.import_module(module)
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            _limit_memory(memory_limit_bytes)
            _run(channel, plan)
        if not _attend(channel, child):
            return
        send(channel, b"next")


def _attend(channel: socket.socket, child: int) -> bool:
    """Return when a candidate's process has ended, by itself or killed, and the other end knows; False if that end is gone."""
    with contextlib.suppress(OSError):
        os.setpgid(child, child)  # here as well as there: whoever comes first
    ended, message = False, (b"late", b"")
    try:
        while message[0] == b"late":
            if not ended and os.waitpid(child, os.WNOHANG) != (0, 0):
                ended = True
                send(channel, b"end ")
            message = receive(channel, LOOK_S)
        return message[0] == b"kill"
    except OSError:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # and what it has started
        if not ended:
            os.waitpid(child, 0)


def _limit_memory(memory_limit_bytes: int | None) -> None:
    """Let this process allocate so much more than it has."""
    if memory_limit_bytes is None or sys.platform != "linux":
        return
    with open("/proc/self/statm") as file:
        data_pages = int(file.read().split()[5])
    wanted = data_pages * resource.getpagesize() + memory_limit_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _run(channel: socket.socket, pickled: bytes) -> None:
    """Observe a candidate, and end this process."""
    try:
        try:
            plan = pickle.loads(pickled)
        except Exception as error:
            raise InputError(
                f"the candidate cannot be loaded by another process ({type(error).__name__}: {error}): "
                "pass isolate=False, or define it in a module that can be imported"
            ) from None
        send(channel, b"load")
        observe(plan, lambda call: send(channel, b"call", call.key + call.alternate))
        send(channel, b"done")
    except InputError as error:
        send(channel, b"bad ", str(error).encode("utf-8", "replace"))
    except KeyboardInterrupt:
        send(channel, b"stop")
    except BaseException:
        send(channel, b"fail", traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(0)
