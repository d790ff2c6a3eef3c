"""A simulator in a process of its own: what ends that process fails the design that it was at, not the run.

A run whose worker died under it goes on like this. The worker cannot say what it died of, but a simulator that crashes is the likeliest
reason; it would take the next worker along as well, and the next, and the run would never get past its design.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, Pipe
from typing import Any

import cloudpickle

from designgym.core.design import Design
from designgym.core.measuring import MISUSE
from designgym.core.metrics import Metrics
from designgym.core.workload import Workload
from designgym.studies.measuring import OnResults
from designgym.studies.pool import Worker
from designgym.studies.ray_session import search_path

ATTEMPTS = 2  # at a design before it counts as failed: a process may also be killed for what others do
PARENT_POLL_S = 0.5  # the process ends so long after the one that started it, at the latest


class Isolated:
    """Runs designs one at a time in a process that is started anew whenever it dies (a `Runner`).

    Args:
        payload: The study (`tune_trial.Payload`); its simulator and its workloads are what the process needs.
        simulator: Name of the simulator, for messages.
    """

    def __init__(self, payload: Any, simulator: str) -> None:
        self._payload, self._name = payload, simulator
        self._process: _Process | None = None

    def __call__(self, designs: Sequence[Design], workload: Workload, fidelity: float, seed: int, on_results: OnResults) -> None:
        """See `Runner`."""
        for position, design in enumerate(designs):
            on_results([position], [self._evaluate((design, workload.name, fidelity, seed))])

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _evaluate(self, order: tuple[Any, ...]) -> Metrics:
        how = ""
        for _ in range(ATTEMPTS):
            if self._process is None:
                self._process = _Process(cloudpickle.dumps(replace(self._payload, choices={}, settings={})))
            try:
                answer = self._process.ask(order)
            except (EOFError, OSError):
                how = self._process.end()
                self._process = None
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer
        return Metrics.failed(f"{self._name} crashed its process {ATTEMPTS} times at this design, which ended with {how}")


class _Process:
    """A process that evaluates what it is sent."""

    def __init__(self, payload: bytes) -> None:
        self._connection, theirs = Pipe()
        program = f"from designgym.studies.isolation import serve; serve({theirs.fileno()}, {os.getpid()})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": search_path()},
        )  # fmt: skip
        theirs.close()
        self._payload: bytes | None = payload

    def ask(self, order: tuple[Any, ...]) -> Any:
        """Return the answer to an order, which is an exception if it was misuse; raises EOFError or OSError if the process died."""
        if self._payload is not None:
            self._connection.send_bytes(self._payload)
            self._payload = None
        self._connection.send(order)
        return self._connection.recv()

    def end(self) -> str:
        """End the process, unless it has ended, and return in words how it ended."""
        self._connection.close()
        try:
            code = self._process.wait(timeout=1)  # it has ended or reads the end of its orders
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"


def serve(handle: int, parent: int) -> None:
    """Evaluate what comes over a connection until it is closed, or the process ``parent`` is gone."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    connection: Connection = Connection(handle)
    with contextlib.suppress(EOFError):
        worker = Worker(cloudpickle.loads(connection.recv_bytes()))
        while True:
            order = connection.recv()
            try:
                answer: Any = worker.evaluate(*order)
            except MISUSE as error:
                answer = error
            connection.send(answer)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    os._exit(1)
