"""`DramController`: the memory controller as a simulator of designs."""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.dram.controller import PARAMETER_NAMES, ControllerConfig
from designgym.simulators.dram.latency import LatencyStatistics
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.run import DramRun
from designgym.simulators.dram.simulate import default_memory, simulate_batch
from designgym.simulators.dram.space import BACK_TO_BACK, READ_ONLY, controller_space
from designgym.simulators.dram.state import RD, WRA
from designgym.simulators.dram.trace import Trace

__all__ = ["DramController", "make_workload"]

PROBED_REQUESTS = 512

# What a probe sees of these parameters is all they do: once both of two designs have shown it, they differ. Not so of the buffer: two sizes
# can give the same commands through hundreds of waits, and others behind the first refresh or in a busier part of the trace.
_SEEN_WHOLE: dict[str, Callable[[DramRun], bool]] = {
    "MaxActiveTransactions": lambda run: run.n_arbiter_holds > 0,
    "RespQueue": lambda run: _serves_out_of_order(run),
    "RefreshMaxPostponed": lambda run: run.reached_max_postponed,
    "RefreshMaxPulledin": lambda run: run.reached_max_pulled_in,
}

_STATISTICS = {"avg": "mean", "p50": "median", "p99": "99th percentile", "max": "maximum"}
_LATENCIES = {
    "latency": "response received minus request first presented; waiting for earlier requests to be accepted is not in it",
    "latency_from_accept": "response received minus request accepted",
    "latency_from_arrival": "response received minus arrival time in the trace, with all waiting",
}
_METRICS = (
    metric("total_time_ns", goal="min", doc="from the start until the last response is received"),
    metric("energy_pj", goal="min", doc="energy of all memory devices, without I/O and termination"),
    metric("power_mw", goal="min", doc="energy divided by the cycles until the last command has completed"),
    metric("bandwidth_gbps", goal="max", doc="all data moved, divided by the total time; 10^9 bit per second"),
    *(
        metric(f"{name}_{short}_ns", goal="min", doc=f"{statistic}: {definition}")
        for name, definition in _LATENCIES.items()
        for short, statistic in _STATISTICS.items()
    ),
    metric("row_hit_rate", doc="share of requests served without an ACT of their own"),
    metric("n_act", doc="ACT commands: a row is opened"),
    metric("n_pre", doc="PRE commands: the row of one bank is closed"),
    metric("n_prea", doc="PREA commands: all rows are closed"),
    metric("n_rd", doc="RD commands: a read"),
    metric("n_rda", doc="RDA commands: a read that closes the row"),
    metric("n_wr", doc="WR commands: a write"),
    metric("n_wra", doc="WRA commands: a write that closes the row"),
    metric("n_refa", doc="REFA commands: a refresh of all banks"),
)


def make_workload(trace: Trace) -> Workload:
    """Return a trace as a workload, with the traits that the space's rules use."""
    back_to_back = bool(np.all(trace.arrival_ticks <= np.arange(len(trace))))
    traits = {READ_ONLY: trace.read_only, BACK_TO_BACK: back_to_back}
    return Workload(trace.name, trace, frozenset(name for name, holds in traits.items() if holds))


class DramController:
    """A DDR3 memory controller behind a trace of requests, simulated cycle by cycle.

    Fidelity is the share of the trace, from its start, that is simulated.

    Args:
        memory: The memory, by default `default_memory`.
        allow_no_refresh: Whether designs that never refresh are legal.
        threads: Designs of a batch that are simulated at a time.
    """

    name = "dram-controller"
    version = "1"
    metrics: tuple[MetricSpec, ...] = _METRICS
    deterministic = True

    def __init__(self, memory: MemorySpec | None = None, *, allow_no_refresh: bool = False, threads: int = 1) -> None:
        if threads < 1:
            raise InputError(f"threads must be 1 or more, got {threads}")
        self.memory = default_memory() if memory is None else memory
        if self.memory != default_memory():
            # Results depend on the memory: they must not be mistaken for those of another one.
            self.version = f"{DramController.version}+{blake3(repr(self.memory).encode()).hexdigest(8)}"
        self.space = controller_space(self.memory, allow_no_refresh=allow_no_refresh)
        self.threads = threads
        self.resources = Resources(cpus=float(threads))

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Simulate every design on the workload, a `Trace`.

        Raises:
            InputError: If the workload is not a trace that fits the memory, or the fidelity not in (0, 1].
        """
        trace = _head(_trace(workload), fidelity)
        reasons = [self.space.violations(design) for design in designs]
        legal = [_config(design) for design, problems in zip(designs, reasons, strict=True) if not problems]
        _compile()
        started = time.perf_counter()
        runs = iter(simulate_batch(legal, trace, self.memory, threads=self.threads))
        cost_s = (time.perf_counter() - started) / max(len(legal), 1)
        return [Metrics.infeasible(problems) if problems else _metrics(next(runs), cost_s) for problems in reasons]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return what each design does with the first requests of the workload: every command, acceptance and response.

        If there are more requests, parameters whose effect these did not show in full are included by value, so that the probe does
        not merge designs that it had no occasion to tell apart.
        """
        trace = _first(_trace(workload), PROBED_REQUESTS)
        whole = len(trace) == len(_trace(workload))
        canonical = [self.space.canonical(design, workload.traits) for design in designs]
        runs = simulate_batch([_config(design) for design in canonical], trace, self.memory, record_commands=True, keep_requests=True)
        return [_fingerprint(design, run, whole=whole) for design, run in zip(canonical, runs, strict=True)]


@lru_cache(maxsize=1)
def _compile() -> None:
    """Compile, or load what was compiled before, so that no design's cost includes it."""
    nothing = np.zeros(1, dtype=np.int64)
    simulate_batch([ControllerConfig()], Trace("compile", nothing, nothing.astype(np.bool_), nothing))


def _config(design: Design) -> ControllerConfig:
    return ControllerConfig.from_mapping(design)


def _trace(workload: Workload) -> Trace:
    if not isinstance(workload.data, Trace):
        raise InputError(f"workload {workload.name!r} of a memory controller must be a Trace, got {type(workload.data).__name__}")
    return workload.data


@lru_cache(maxsize=16)
def _first(trace: Trace, n: int) -> Trace:
    return trace if n >= len(trace) else trace.head(n)


def _head(trace: Trace, fidelity: float) -> Trace:
    if not 0 < fidelity <= 1:
        raise InputError(f"fidelity, the share of the trace that is simulated, must be in (0, 1], got {fidelity}")
    return _first(trace, max(round(fidelity * len(trace)), 1))


def _metrics(run: DramRun, cost_s: float) -> Metrics:
    if run.failed:
        return Metrics.failed(f"the simulation ended in {run.status} after {run.n_answered} answered requests", cost_s)
    values: dict[str, float] = {
        "total_time_ns": run.total_time_ns,
        "energy_pj": run.energy_pj,
        "power_mw": run.power_mw,
        "bandwidth_gbps": run.bandwidth_gbps,
        "row_hit_rate": run.row_hit_rate,
    }
    for name in _LATENCIES:
        latency: LatencyStatistics = getattr(run, name)
        values |= {f"{name}_{short}_ns": getattr(latency, f"{short}_ns") for short in _STATISTICS}
    return Metrics(values | {f"n_{name.lower()}": float(n) for name, n in run.counts.items()}, cost_s=cost_s)


def _fingerprint(design: Design, run: DramRun, *, whole: bool) -> bytes:
    """Return the digest of a recorded run and, unless it is the whole workload, of the parameters that it did not show in full."""
    if run.commands is None or run.requests is None:
        raise ValueError("A fingerprint needs a run with recorded commands and request times.")
    hasher = blake3(run.status.encode())
    for name in () if whole else PARAMETER_NAMES:
        if name not in _SEEN_WHOLE or not _SEEN_WHOLE[name](run):
            hasher.update(f"{name}={design[name]};".encode())
    for array in (run.commands, run.requests.presented, run.requests.accepted, run.requests.response):
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.digest()


def _serves_out_of_order(run: DramRun) -> bool:
    assert run.commands is not None  # by _fingerprint
    accesses = run.commands["request"][(run.commands["command"] >= RD) & (run.commands["command"] <= WRA)]
    return bool(np.any(np.diff(accesses) < 0))
