"""The canonical form of structured designs: blocks that are alike are one, and what no task uses is not there."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from designgym.simulators.soc.genome import TASK_FIELDS, TASKS_AT, canonical_row, decode, encode, simplify
from designgym.simulators.soc.library import RELAY, SINK, TASKS_TRAIT

Array = Any
DEFAULT_TASK: Array = np.zeros(TASK_FIELDS, dtype=np.int64)  # on the first processor, output in the first memory


def canonical_system(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    """Return the canonical values of `designgym.simulators.soc.genome.PARAMETERS`.

    Without the trait of a workload they are only simplified as holds for all workloads.
    """
    row = np.array(encode(values), dtype=np.int64)
    unrollings = unrollings_of(traits)
    if unrollings is None or len(unrollings) > (len(row) - TASKS_AT) // TASK_FIELDS:
        simplify(row)
        return decode(row.tolist())
    new = np.empty_like(row)
    canonical_row(row, unrollings, DEFAULT_TASK, new)
    return decode(new.tolist())


@lru_cache(maxsize=64)
def unrollings_of(traits: frozenset[str]) -> Array | None:
    """Return how many unrollings the accelerator of each task with work has, as the workload's traits say; None without such a trait."""
    for trait in traits:
        if trait.startswith(TASKS_TRAIT):
            return np.array(
                [int(count) for count in trait.removeprefix(TASKS_TRAIT).split(",") if count not in (RELAY, SINK)], dtype=np.int64
            )
    return None
