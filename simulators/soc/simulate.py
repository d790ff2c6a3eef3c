"""`simulate`: what a system on chip makes of a task graph.

The model, FARSI's (Boroujerdian et al., arXiv:2201.05232), is one of phases. A task runs on its PE when all its parents have ended and the
PE is free. It takes its work at the PE's rate, or longer where its data takes longer: what it reads from the memories of its parents and
what it writes into its own, along the tree of buses. A phase ends when a task does. In it, each bus and memory has its full rate in either
direction, split equally between the pipes on which data comes in and goes on to the same place, and inside a pipe in proportion to the
units of data that tasks move. There is no latency per hop and no queue. Energy is that of the work and of the bytes read and written, in
memories as large as the most that they ever hold; buses take none, and nothing leaks. Power is the largest average over windows of 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from designgym.core.errors import InputError, shorten
from designgym.simulators.soc.kernel import (
    AREA,
    BUSES,
    COST,
    ENERGY,
    LATENCY,
    MEMORY_AREA,
    PE_AREA,
    PHASES,
    POWER,
    RESULTS,
    simulate_all,
)  # fmt: skip
from designgym.simulators.soc.soc import Soc, SocBatch, batch_of
from designgym.simulators.soc.topology import OK, REASONS
from designgym.simulators.soc.workload import SocWorkload

__all__ = ["MODELS", "Model", "SocRun", "run_batch", "simulate", "simulate_batch"]

Model = Literal["corrected", "as_farsi"]
MODELS: tuple[str, ...] = get_args(Model)


@dataclass(frozen=True)
class SocRun:
    """What a system does.

    Attributes:
        latency_s: When the workload's last task ends.
        power_w: Largest average over a window.
        area_m2: Of PEs and memories.
        energy_j: Of the whole run.
        cost: Effort of development, without unit.
        phases: Phases of the run, the empty first one counted.
        buses: Buses that are used; in FARSI, that are left.
        pe_area_m2: Of the PEs alone.
        memory_area_m2: Of the memories alone.
        memory_bytes: The most that each memory holds.
        refused: Why the system cannot be simulated; empty if it was, else the numbers are NaN.
    """

    latency_s: float
    power_w: float
    area_m2: float
    energy_j: float
    cost: float
    phases: int
    buses: int
    pe_area_m2: float
    memory_area_m2: float
    memory_bytes: tuple[float, ...]
    refused: str = ""


def simulate(
    soc: Soc, workload: SocWorkload, *, model: Model | str = "corrected", load_order: str | Sequence[str] = "alphabetical"
) -> SocRun:
    """Simulate one system; see `simulate_batch`."""
    return simulate_batch([soc], workload, model=model, load_order=load_order)[0]


def simulate_batch(
    socs: Sequence[Soc], workload: SocWorkload, *, model: Model | str = "corrected", load_order: str | Sequence[str] = "alphabetical"
) -> list[SocRun]:
    """Simulate systems.

    Args:
        socs: The systems.
        workload: What they run.
        model: ``as_farsi`` has FARSI's quirks and equals it to rounding. ``corrected`` is without them: the buses as given instead of a
            tree with some of them removed; power windows that are not moved; all of a task's work instead of 99 %; memory freed when
            nobody needs it any more; first come, first served, with one order for all PEs; data that shares only what it competes for.
        load_order: In which tasks that get ready at the same time are taken: ``alphabetical``, ``file`` or all names; with ``as_farsi``
            those of the first PE.

    Raises:
        InputError: If a system has blocks or tasks that do not exist, or an option is unknown. What the model cannot simulate is a run with
            the reason in ``refused``.
    """
    if not socs:
        return []
    results, peaks, outcomes = run_batch(batch_of(socs, workload.graph), workload, model=model, load_order=load_order)
    runs = []
    for soc, row, peak, outcome in zip(socs, results.tolist(), peaks.tolist(), outcomes.tolist(), strict=True):
        refused = "" if outcome == OK else REASONS[outcome]
        count = 0 if refused else len(soc.memories)
        runs.append(
            SocRun(
                row[LATENCY], row[POWER], row[AREA], row[ENERGY], row[COST], int(0 if refused else row[PHASES]),
                int(0 if refused else row[BUSES]), row[PE_AREA], row[MEMORY_AREA], tuple(peak[:count]), refused,
            )
        )  # fmt: skip
    return runs


def run_batch(
    socs: SocBatch, workload: SocWorkload, *, model: Model | str = "corrected", load_order: str | Sequence[str] = "alphabetical"
) -> tuple[Any, Any, Any]:
    """Simulate systems that are arrays; return the results (b, `kernel.RESULTS`), peak bytes (b, memories) and outcomes (b,)."""
    if model not in MODELS:
        raise InputError(f"model is {shorten(model)}, expected {' or '.join(MODELS)}")
    count = len(socs.counts)
    results = np.full((count, RESULTS), np.nan)
    peaks, outcomes = np.zeros(socs.memory_rate.shape), np.zeros(count, np.int64)
    simulate_all(workload.arrays, socs, workload.load_order(load_order), model == "as_farsi", results, peaks, outcomes)
    return results, peaks, outcomes
