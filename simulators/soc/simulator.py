"""`SocSimulator`: systems on chip as designs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.soc.archgym import archgym_space, archgym_systems
from designgym.simulators.soc.compiled import Array
from designgym.simulators.soc.describing import system_in_words
from designgym.simulators.soc.kernel import AREA, AVERAGE_POWER, BUSES, COST, ENERGY, LATENCY, MEMORY_AREA, PE_AREA, PHASES, POWER
from designgym.simulators.soc.simulate import MODELS, run_batch
from designgym.simulators.soc.soc import SocBatch
from designgym.simulators.soc.space import DEFAULT_TASKS, system_space
from designgym.simulators.soc.systems import BlockFigures, block_figures, systems
from designgym.simulators.soc.topology import OK, REASONS
from designgym.simulators.soc.workload import SocWorkload

__all__ = ["SPACES", "SocSimulator"]


SPACES = ("structured", "archgym")
BATCH = 1024  # designs that are arrays at a time

_METRICS: tuple[tuple[MetricSpec, int, float], ...] = (
    (metric("latency_ms", goal="min", doc="until the workload's last task ends"), LATENCY, 1e3),
    (metric("power_mw", goal="min", doc="largest average over windows of 10 ms; memories and PEs, without leakage"), POWER, 1e3),
    (metric("area_mm2", goal="min", doc="PEs and memories; buses take none"), AREA, 1e6),
    (metric("energy_mj", goal="min", doc="one run of the workload"), ENERGY, 1e3),
    (metric("cost", goal="min", doc="effort of development: porting tasks to PEs, banks of memory, buses, and paths by length"), COST, 1.0),
    (metric("average_power_mw", goal="min", doc="energy by the time of the whole run"), AVERAGE_POWER, 1e3),
    (metric("pe_area_mm2", goal="min", doc="of the processors and accelerators"), PE_AREA, 1e6),
    (metric("memory_area_mm2", goal="min", doc="of the memories, each as large as the most that it ever holds"), MEMORY_AREA, 1e6),
    (metric("phases", doc="of the run, each until a task ends, the empty first one counted"), PHASES, 1.0),
    (metric("buses", doc="that data runs over"), BUSES, 1.0),
)


class SocSimulator:
    """Systems on chip, simulated phase by phase; see `designgym.simulators.soc.simulate` for the model.

    Args:
        space: ``structured``, or ``archgym``: the 18 + 2 x tasks parameters of ArchGym.
        model: ``corrected``, or ``as_farsi`` with FARSI's quirks.
        load_order: In which tasks that get ready at the same time are taken: ``alphabetical``, ``file``, or all tasks by name.
        tasks: For how many tasks the space has entries: tasks with work if structured, all tasks in ArchGym's.
    """

    name = "soc"
    metrics: tuple[MetricSpec, ...] = tuple(spec for spec, _, _ in _METRICS)
    deterministic = True
    resources = Resources(cpus=1.0)

    def __init__(
        self,
        *,
        space: str = "structured",
        model: str = "corrected",
        load_order: str | Sequence[str] = "alphabetical",
        tasks: int | None = None,
    ) -> None:
        if space not in SPACES:
            raise InputError(f"option space is {shorten(space)}, expected {' or '.join(SPACES)}")
        if model not in MODELS:
            raise InputError(f"option model is {shorten(model)}, expected {' or '.join(MODELS)}")
        if isinstance(load_order, str) and load_order not in ("alphabetical", "file"):
            load_order = load_order.split(",")  # from the command line
        self.model, self.load_order = model, load_order if isinstance(load_order, str) else tuple(load_order)
        self.space: DesignSpace
        self._systems: Callable[[Sequence[Design], SocWorkload, BlockFigures], tuple[SocBatch, Array]]
        if space == "structured":
            self.space, self._systems = system_space(DEFAULT_TASKS if tasks is None else tasks), systems
        else:
            self.space, self._systems = archgym_space(18 if tasks is None else tasks, relabel=model == "corrected"), archgym_systems
        # results depend on these: they must not be mistaken for those of other ones
        options = f"{model}/{self.load_order}"
        self.version = f"1+{blake3(options.encode()).hexdigest(4)}"

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Simulate every design on the workload, a `SocWorkload`. The seed has no effect.

        Raises:
            InputError: If the workload is none, or has more tasks than the space; or for a fidelity other than 1: it takes microseconds.
        """
        data = workload.data
        if not isinstance(data, SocWorkload):
            raise InputError(f"workload {workload.name!r} of a system on chip must be a SocWorkload, got {type(data).__name__}")
        if fidelity != 1:
            raise InputError(f"a system on chip is simulated as a whole: fidelity must be 1, got {fidelity}")
        figures = _figures(data)
        results: list[Metrics | None] = [None] * len(designs)
        legal = []
        for i, design in enumerate(designs):
            if reasons := self.space.violations(design):
                results[i] = Metrics.infeasible(reasons)
            else:
                legal.append(i)
        for start in range(0, len(legal), BATCH):
            some = legal[start : start + BATCH]
            for i, result in zip(some, self._run([designs[i] for i in some], data, figures), strict=True):
                results[i] = result
        return [result for result in results if result is not None]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return nothing: a simulation costs less than a probe would save."""

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the system of a structured design: the buses with what is on them, as far as the workload's tasks use it."""
        if self._systems is not systems or workload is None or not isinstance(workload.data, SocWorkload):
            return ""
        return system_in_words(self.space.canonical(design, workload.traits), workload.data)

    def _run(self, designs: list[Design], data: SocWorkload, figures: BlockFigures) -> list[Metrics]:
        started = time.perf_counter()
        batch, lacking = self._systems(designs, data, figures)
        numbers, _, outcomes = run_batch(batch, data, model=self.model, load_order=self.load_order)
        table = np.column_stack([numbers[:, column] * scale for _, column, scale in _METRICS]).tolist()
        names = [spec.name for spec in self.metrics]
        cost_s = (time.perf_counter() - started) / len(designs)
        found = []
        for row, outcome, task in zip(table, outcomes.tolist(), lacking.tolist(), strict=True):
            if task >= 0:
                name = data.graph.names[task]
                found.append(Metrics.infeasible([f"task {name!r} cannot be on that accelerator: {_why(data, task)}"], cost_s))
            elif outcome != OK:
                found.append(Metrics.infeasible([REASONS[outcome]], cost_s))
            else:
                found.append(Metrics(dict(zip(names, row, strict=True)), cost_s=cost_s))
        return found


def _why(data: SocWorkload, task: int) -> str:
    lacks = data.graph.tasks[task].accelerator is None
    return "the workload has no figures of one for it" if lacks else "it is another task's, and an accelerator runs one task with work"


@lru_cache(maxsize=16)
def _figures(data: SocWorkload) -> BlockFigures:
    return block_figures(data)
