"""`MemorySystem`: memory systems as a simulator of designs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.dram.simulator import DramController
from designgym.simulators.dram.system.config import MemorySystemConfig
from designgym.simulators.dram.system.simulate import SystemRun, simulate_system, simulate_systems
from designgym.simulators.dram.system.space import system_space
from designgym.simulators.dram.system.standard import STANDARDS, standard
from designgym.simulators.dram.trace import Trace

__all__ = ["MemorySystem"]

_CONTROLLERS = tuple(spec for spec in DramController.metrics if spec.name not in ("energy_pj", "power_mw"))
_LATENCIES = ("latency", "latency_from_accept", "latency_from_arrival")
_METRICS = (
    *_CONTROLLERS,
    metric("energy_pj", goal="min", doc="energy of all memory devices until then, without I/O and termination; idle channels included"),
    metric("power_mw", goal="min", doc="energy divided by the total time"),
    metric("background_energy_pj", goal="min", doc="standby and power-down"),
    metric("activation_energy_pj", goal="min", doc="opening and closing rows"),
    metric("access_energy_pj", goal="min", doc="reading and writing"),
    metric("refresh_energy_pj", goal="min", doc="refreshes"),
    metric("power_down_share", doc="share of the ranks' time in power-down"),
    metric("n_refb", doc="REFB commands: a refresh of one bank, a pair, or the same bank of every group"),
    metric("n_pde", doc="starts of power-down"),
    metric("n_pdx", doc="ends of power-down"),
    metric("n_drains", doc="times that writes reached the high watermark while reads waited"),
)


class MemorySystem:
    """Evaluates memory systems on traces of requests for lines of 64 bytes."""

    name = "memory-system"
    metrics: tuple[MetricSpec, ...] = _METRICS
    deterministic = True

    def __init__(self, *, memories: Sequence[str] = STANDARDS, allow_no_refresh: bool = False, threads: int = 1) -> None:
        """Prepare the space.

        Args:
            memories: Names of the memories to choose from.
            allow_no_refresh: Whether designs that never refresh are legal.
            threads: Designs of a batch that are simulated at a time.

        Raises:
            InputError: If `threads` is less than 1, or the memories cannot be used.
        """
        if threads < 1:
            raise InputError(f"threads must be 1 or more, got {threads}")
        # Results depend on the memories' figures: they must not be mistaken for those of others.
        self.version = f"1+{_figures()}"
        self.space = system_space(memories=memories, allow_no_refresh=allow_no_refresh)
        self.threads = threads
        self.resources = Resources(cpus=float(threads))

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Simulate every design on the workload, a `Trace`; `fidelity` is the share of its requests.

        Raises:
            InputError: If the workload is not a trace that fits the memories, or the fidelity not in (0, 1].
        """
        trace = _head(workload, fidelity)
        reasons = [self.space.violations(design) for design in designs]
        legal = [MemorySystemConfig.from_mapping(design) for design, problems in zip(designs, reasons, strict=True) if not problems]
        _compile()
        started = time.perf_counter()
        runs = iter(simulate_systems(legal, trace, threads=self.threads))
        cost_s = (time.perf_counter() - started) / max(len(legal), 1)
        return [Metrics.infeasible(problems) if problems else _metrics(next(runs), cost_s) for problems in reasons]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return None: as for the controller alone, a probe would add next to nothing to the canonical form."""
        return None


@lru_cache(maxsize=1)
def _figures() -> str:
    """Return a digest of all that is known of the memories."""
    return blake3(repr([standard(name) for name in STANDARDS]).encode()).hexdigest(8)


@lru_cache(maxsize=1)
def _compile() -> None:
    """Compile, or load what was compiled before, so that no design's cost includes it."""
    nothing = np.zeros(1, dtype=np.int64)
    simulate_system(MemorySystemConfig(), Trace("compile", nothing, nothing.astype(np.bool_), nothing))


@lru_cache(maxsize=16)
def _first(trace: Trace, n: int) -> Trace:
    return trace if n >= len(trace) else trace.head(n)


def _head(workload: Workload, fidelity: float) -> Trace:
    if not isinstance(workload.data, Trace):
        raise InputError(f"workload {workload.name!r} of a memory system must be a Trace, got {type(workload.data).__name__}")
    if not 0 < fidelity <= 1:
        raise InputError(f"fidelity, the share of the trace that is simulated, must be in (0, 1], got {fidelity}")
    return _first(workload.data, max(round(fidelity * len(workload.data)), 1))


def _metrics(run: SystemRun, cost_s: float) -> Metrics:
    if run.failed:
        return Metrics.failed(f"the simulation ended in {run.status} after {run.n_answered} answered requests", cost_s)
    values: dict[str, float] = {
        "total_time_ns": run.total_time_ns,
        "energy_pj": run.energy.total_pj,
        "power_mw": run.power_mw,
        "bandwidth_gbps": run.bandwidth_gbps,
        "row_hit_rate": run.row_hit_rate,
        "background_energy_pj": run.energy.background_pj,
        "activation_energy_pj": run.energy.activation_pj,
        "access_energy_pj": run.energy.read_pj + run.energy.write_pj,
        "refresh_energy_pj": run.energy.refresh_pj,
        "power_down_share": run.power_down_share,
        "n_drains": float(run.n_drains),
    }
    for name in _LATENCIES:
        values |= {f"{name}_{short}": value for short, value in getattr(run, name)._asdict().items()}
    return Metrics(values | {f"n_{name.lower()}": float(n) for name, n in run.counts.items()}, cost_s=cost_s)
