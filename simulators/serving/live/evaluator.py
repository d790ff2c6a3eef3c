"""`LiveServing`: designs that are settings of a real server, measured under the load of the workload."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.external import ProgramError
from designgym.core.metrics import Metrics
from designgym.core.program_results import measured, require_seconds
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.serving.live.client_side import as_sent
from designgym.simulators.serving.live.load import Endpoint, Outcome, send
from designgym.simulators.serving.live.measured import FIGURES, half_width, measured_figures
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.summary import Targets
from designgym.simulators.serving.workloads import requests_of

__all__ = ["Launcher", "LiveServing", "LoadSettings", "Server", "with_client"]


PATIENCE_S = 0.5
"""How long after failed requests to look whether the server ended."""


class Server(Protocol):
    """What is measured: a `ServerProcess`, or a server that somebody else started."""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        ...

    def require_running(self, *, patience_s: float = 0.0) -> None:
        """Raise `ProgramError` if it has, or does within that time."""
        ...

    def tail(self) -> str:
        """Return the last lines of its log."""
        ...

    def stop(self) -> None:
        """End it, if it is ours."""
        ...


class Launcher(Protocol):
    """How the server of a design is started."""

    def key(self, design: Mapping[str, Any]) -> str:
        """Return what decides on the server, which is nothing of the client's side; designs with equal keys share one."""
        ...

    def start(self, design: Mapping[str, Any]) -> tuple[Server, Endpoint]:
        """Return a running server, and where it is."""
        ...


class LoadSettings:
    """How a design is measured.

    Args:
        ttft_s: Target of goodput, time to first token.
        tpot_s: Target of goodput, time per output token.
        warm_up: Requests that are sent and forgotten after a start.
        min_repeats: Runs at least.
        max_repeats: Runs at most.
        precision: Runs are repeated until the 95 % confidence interval of ``focus`` is within this share of its mean.
        focus: The one of `measured.FIGURES` that decides on repeats.
        request_timeout_s: Seconds that one request may take.

    Raises:
        InputError: For a value that cannot be.
    """

    def __init__(
        self, *, ttft_s: float = 1.0, tpot_s: float = 0.05, warm_up: int = 4, min_repeats: int = 2, max_repeats: int = 5,
        precision: float = 0.05, focus: str = "output_throughput_tps", request_timeout_s: float = 300.0,
    ) -> None:  # fmt: skip
        for name, value, least in (("warm_up", warm_up, 0), ("min_repeats", min_repeats, 1), ("max_repeats", max_repeats, min_repeats)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} must be a whole number of {least} or more, got {shorten(value)}")
        if isinstance(precision, bool) or not isinstance(precision, int | float) or not precision > 0:
            raise InputError(f"precision must be a share above 0, got {shorten(precision)}")
        if focus not in (known := [spec.name for spec in FIGURES]):
            raise UnknownNameError("focus", focus, known)
        self.targets = Targets(ttft_s, tpot_s)
        self.warm_up, self.min_repeats, self.max_repeats = warm_up, min_repeats, max_repeats
        self.precision, self.focus, self.request_timeout_s = float(precision), focus, require_seconds(request_timeout_s)


class _Kept(NamedTuple):
    """A server that runs."""

    key: str
    server: Server
    endpoint: Endpoint


class LiveServing:
    """Measures designs on servers, one after the other; a server is kept for the next design that wants the same one.

    Args:
        space: What designs are legal by.
        launcher: Starts servers.
        load: Arguments of `LoadSettings`: how a design is measured.

    Raises:
        InputError: For an argument that does not exist or cannot be.
    """

    def __init__(self, space: DesignSpace, launcher: Launcher, load: Mapping[str, Any]) -> None:
        try:
            self._settings = LoadSettings(**load)
        except TypeError as error:
            raise InputError(f"unknown option of the load: {error}") from None
        self._space, self._launcher = space, launcher
        self._kept: _Kept | None = None
        self._sent = 0
        self.starts = 0

    def close(self) -> None:
        """Stop the server that is kept."""
        atexit.unregister(self.close)
        if self._kept is not None:
            self._kept.server.stop()
        self._kept = None

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float, seed: int) -> list[Metrics]:
        """Measure designs, those that share a server next to each other; what goes wrong is a status.

        Raises:
            InputError: If the workload is not a `RequestTrace`, or the fidelity not in (0, 1].
            NotInstalledError: If the server's program, or the client, is missing.
        """
        trace = requests_of(workload, "a server").share(fidelity)
        results = {i: Metrics.infeasible(found) for i, design in enumerate(designs) if (found := self._space.violations(design))}
        keys = {i: self._launcher.key(design) for i, design in enumerate(designs) if i not in results}
        there = self._kept.key if self._kept else ""
        # the server that is there first, then each of the others once
        for i in sorted(keys, key=lambda i: (keys[i] != there, keys[i], i)):
            results[i] = measured(partial(self._one, designs[i], keys[i], trace, seed))
            if not results[i].ok:
                self.close()
        return [results[i] for i in range(len(designs))]

    def _one(self, design: Design, key: str, trace: RequestTrace, seed: int) -> dict[str, float]:
        settings, trace = self._settings, as_sent(trace, design)
        kept = self._server_for(design, key, trace, seed)
        runs: list[dict[str, float]] = []
        mean, width = 0.0, 0.0
        while len(runs) < settings.max_repeats:
            runs.append(self._run(kept, trace, seed))
            focus = [run[settings.focus] for run in runs]
            mean, width = abs(float(np.mean(focus))), half_width(focus)
            if len(runs) >= settings.min_repeats and width <= settings.precision * mean:
                break
        means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
        return {**means, "repeats": float(len(runs)), "relative_ci95": width / mean if len(runs) > 1 and mean else 1.0}

    def _server_for(self, design: Design, key: str, trace: RequestTrace, seed: int) -> _Kept:
        """Return the server of a design, warm: the one that is kept, if it is the same."""
        if self._kept is not None and self._kept.key == key and self._kept.server.running:
            return self._kept
        self.close()
        self._kept = kept = _Kept(key, *self._launcher.start(design))
        self.starts += 1
        atexit.register(self.close)
        if self._settings.warm_up:
            self._send(kept, trace.first(self._settings.warm_up), seed)
        return kept

    def _run(self, kept: _Kept, trace: RequestTrace, seed: int) -> dict[str, float]:
        outcomes = self._send(kept, trace, seed)
        kept.server.require_running(patience_s=PATIENCE_S if any(outcome.error for outcome in outcomes) else 0.0)
        if all(outcome.error for outcome in outcomes):
            raise ProgramError(f"none of {len(outcomes)} requests was answered: {outcomes[0].error}; {kept.server.tail()}")
        return measured_figures(outcomes, self._settings.targets)

    def _send(self, kept: _Kept, trace: RequestTrace, seed: int) -> list[Outcome]:
        """Send requests with texts of their own each time: a server may remember those that it has seen."""
        self._sent += 1
        return send(kept.endpoint, trace, timeout_s=self._settings.request_timeout_s, seed=seed * 1_000_003 + self._sent)


def with_client(server: tuple[bool, str]) -> tuple[bool, str]:
    """Return whether a server and the client's package openai are there, and where the server is, or how to get what is missing."""
    if server[0] and find_spec("openai") is None:
        return False, "the package openai is missing: run `pip install 'designgym[live]'`"
    return server
