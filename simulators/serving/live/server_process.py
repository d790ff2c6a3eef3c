"""`ServerProcess`: a server that is started for a design, waited for until it answers, and stopped with all its children."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from designgym.core.errors import NotInstalledError
from designgym.core.external import ProgramError, ProgramTimeout

__all__ = ["ServerProcess", "free_port"]

_GUARD = Path(__file__).with_name("guard.py")
POLL_S = 0.1
GRACE_S = 10.0  # between asking a server to stop and killing it
TAIL_LINES = 12
_SECRET = re.compile(
    r"(?i)((?:api[_-]?key|password|secret)[^\s=:]*[\s=:]+|(?:token(?!s)|authorization)[^\s=:]*\s*[=:]\s*(?:bearer\s+)?)\S+"
)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens to now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """A running server, in a process group and a folder of its own; a context manager. It ends when our process does, even if killed.

    Args:
        command: Program and arguments; never passed through a shell.
        health_url: What is asked until it answers with a status below 400.
        start_timeout_s: How long that may take.
        environment: Variables added to the inherited ones.

    Raises:
        NotInstalledError: If the program does not exist.
        ProgramTimeout: If it does not answer in time.
        ProgramError: If it ends before; the last lines of its log are in the message.
    """

    def __init__(
        self, command: Sequence[str], *, health_url: str, start_timeout_s: float, environment: Mapping[str, str] | None = None
    ) -> None:  # fmt: skip
        if shutil.which(command[0]) is None:
            raise NotInstalledError(f"{command[0]} cannot be started: it is no program")
        self._folder = tempfile.TemporaryDirectory(prefix="designgym-server-", ignore_cleanup_errors=True)
        self.log = Path(self._folder.name) / "log.txt"
        self._name = os.path.basename(command[0])
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_GUARD), *command], cwd=self._folder.name, env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            self._await(health_url, start_timeout_s)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def tail(self) -> str:
        """Return the last lines of the log, in one, without what looks like a secret."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "no log"
        return " | ".join(_SECRET.sub(r"\1***", line.strip()) for line in lines[-TAIL_LINES:] if line.strip()) or "its log is empty"

    def require_running(self, *, patience_s: float = 0.0) -> None:
        """Raise `ProgramError` with the end of the log if the server has ended, or does within that time."""
        if patience_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
        if not self.running:
            raise ProgramError(f"{self._name} ended with code {self._process.returncode}: {self.tail()}")

    def stop(self) -> None:
        """Ask the server to end, then kill what is left of its process group, and remove its folder."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._folder.cleanup()

    def _await(self, url: str, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while True:
            self.require_running()
            try:
                with urllib.request.urlopen(url, timeout=5):  # the loopback interface, or the user's own endpoint
                    return
            except (urllib.error.URLError, OSError):
                pass
            if time.monotonic() > deadline:
                raise ProgramTimeout(f"{self._name} did not answer within {limit_s:g} s: {self.tail()}")
            time.sleep(POLL_S)
