"""`LiveServing`: designs that are settings of a real server, measured under the load of the workload."""

from __future__ import annotations

import atexit
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError, UnknownNameError, shorten
from designgym.core.external import ProgramError, ProgramTimeout
from designgym.core.metrics import Metrics
from designgym.core.program_results import require_seconds
from designgym.core.workload import Workload
from designgym.simulators.serving.live.load import Endpoint, Outcome, send
from designgym.simulators.serving.live.measured import METRICS, half_width, measured_figures
from designgym.simulators.serving.live.server_process import ServerProcess
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.summary import Targets

__all__ = ["Launcher", "LiveServing", "LoadSettings"]


class Launcher(Protocol):
    """How the server of a design is started."""

    def key(self, design: Mapping[str, Any]) -> str:
        """Return what decides on the server; designs with equal keys share one."""
        ...

    def start(self, design: Mapping[str, Any]) -> tuple[ServerProcess | None, Endpoint]:
        """Return a running server, or None if it is not ours, and where it is."""
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
        focus: The metric of `measured.METRICS` that decides on repeats.
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
        if focus not in (known := [spec.name for spec in METRICS[:-2]]):
            raise UnknownNameError("focus", focus, known)
        self.targets = Targets(ttft_s, tpot_s)
        self.warm_up, self.min_repeats, self.max_repeats = warm_up, min_repeats, max_repeats
        self.precision, self.focus, self.request_timeout_s = float(precision), focus, require_seconds(request_timeout_s)


class LiveServing:
    """Measures designs on servers, one after the other; a server is kept for the next design that wants the same one.

    Args:
        launcher: Starts servers.
        settings: How a design is measured.
    """

    def __init__(self, launcher: Launcher, settings: LoadSettings) -> None:
        self._launcher, self._settings = launcher, settings
        self._key = ""
        self._server: ServerProcess | None = None
        self._endpoint: Endpoint | None = None
        self.starts = 0
        self._sent = 0
        atexit.register(self.close)

    def close(self) -> None:
        """Stop the server that is kept."""
        if self._server is not None:
            self._server.stop()
        self._server = self._endpoint = None
        self._key = ""

    def measure(self, designs: Sequence[Design], workload: Workload, *, fidelity: float, seed: int) -> list[Metrics]:
        """Measure designs, those that share a server next to each other; failures are statuses.

        Raises:
            InputError: If the workload is not a `RequestTrace`, or the fidelity not in (0, 1].
            NotInstalledError: If the server's program, or the client, is missing.
        """
        if not isinstance(workload.data, RequestTrace):
            raise InputError(f"workload {workload.name!r} of a server must be a RequestTrace, got {type(workload.data).__name__}")
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the requests that is sent, must be in (0, 1], got {shorten(fidelity)}")
        trace = workload.data.part(slice(0, max(round(fidelity * len(workload.data)), 1)))
        keys = [self._launcher.key(design) for design in designs]
        # the server that is there first, then each of the others once
        order = sorted(range(len(designs)), key=lambda i: (keys[i] != self._key, keys[i], i))
        results: dict[int, Metrics] = {}
        for i in order:
            started = time.perf_counter()
            try:
                values = self._one(designs[i], keys[i], trace, seed)
                results[i] = Metrics(values, cost_s=time.perf_counter() - started)
            except ProgramTimeout as error:
                self.close()
                results[i] = Metrics.timeout(str(error), cost_s=time.perf_counter() - started)
            except ProgramError as error:
                self.close()
                results[i] = Metrics.failed(str(error), cost_s=time.perf_counter() - started)
        return [results[i] for i in range(len(designs))]

    def _one(self, design: Design, key: str, trace: RequestTrace, seed: int) -> dict[str, float]:
        settings = self._settings
        self._ready(design, key, trace, seed)
        runs: list[dict[str, float]] = []
        mean, width = 0.0, 0.0
        while len(runs) < settings.max_repeats:
            runs.append(self._run(trace, seed))
            focus = [run[settings.focus] for run in runs]
            mean, width = abs(float(np.mean(focus))), half_width(focus)
            if len(runs) >= settings.min_repeats and width <= settings.precision * mean:
                break
        means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
        return {**means, "repeats": float(len(runs)), "relative_ci95": width / mean if len(runs) > 1 and mean else 1.0}

    def _ready(self, design: Design, key: str, trace: RequestTrace, seed: int) -> None:
        """See that the server of a design is there, and warm."""
        if key == self._key and self._endpoint is not None and (self._server is None or self._server.running):
            return
        self.close()
        self._server, self._endpoint = self._launcher.start(design)
        self._key = key
        self.starts += 1
        if self._settings.warm_up:
            self._send(trace.part(slice(0, self._settings.warm_up)), seed)

    def _run(self, trace: RequestTrace, seed: int) -> dict[str, float]:
        outcomes = self._send(trace, seed)
        if self._server is not None:
            self._server.require_running()
        if all(outcome.error for outcome in outcomes):
            words = f"none of {len(outcomes)} requests was answered: {outcomes[0].error}"
            raise ProgramError(words if self._server is None else f"{words}; {self._server.tail()}")
        return measured_figures(outcomes, self._settings.targets)

    def _send(self, trace: RequestTrace, seed: int) -> list[Outcome]:
        """Send requests with texts of their own each time: a server may remember those that it has seen."""
        assert self._endpoint is not None
        self._sent += 1
        return send(self._endpoint, trace, timeout_s=self._settings.request_timeout_s, seed=seed * 1_000_003 + self._sent)


def require_client() -> tuple[bool, str]:
    """Return whether the package openai is there, and its version or how to get it."""
    try:
        import openai
    except ImportError:
        return False, "the package openai is missing: run `pip install 'designgym[live]'`"
    return True, f"openai {openai.__version__}"


def raise_unless(found: tuple[bool, str], what: str) -> None:
    """Raise `NotInstalledError` if something is not there."""
    if not found[0]:
        raise NotInstalledError(f"{what} is not installed: {found[1]}")
