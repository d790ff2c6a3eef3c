"""Who owns a run: a process, told apart from later ones with the same number by the time it started."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal


def new_owner() -> str:
    """Return the name of this process as the owner of a run, different at each call: ``host|pid|start|token``."""
    return f"{socket.gethostname()}|{os.getpid()}|{_start(os.getpid())}|{uuid.uuid4().hex}"


def owner_state(owner: str) -> Literal["this process", "alive", "dead", "elsewhere"]:
    """Return what is known of an owner; ``elsewhere`` if it runs, or ran, on another host."""
    host, pid, start, _ = owner.split("|")
    if host != socket.gethostname():
        return "elsewhere"
    if int(pid) == os.getpid() and start == _start(os.getpid()):
        return "this process"
    return "alive" if process_exists(int(pid)) and start == _start(int(pid)) else "dead"


def describe_owner(owner: str) -> str:
    """Return ``process 123 on host``."""
    host, pid, *_ = owner.split("|")
    return f"process {pid} on {host}"


def process_exists(pid: int) -> bool:
    """Return whether a process of that number exists on this host."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def regularly(call: Callable[[], object], every_s: float) -> Iterator[None]:
    """Call something every so many seconds, in a thread, for as long as the block runs; what it raises is for the block to meet itself."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(every_s):
            with suppress(Exception):
                call()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=1)


def _start(pid: int) -> str:
    """Return the start time in clock ticks where /proc tells it (not for a zombie, which will do nothing more), else nothing."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "zombie" if fields[0] == "Z" else fields[19]
