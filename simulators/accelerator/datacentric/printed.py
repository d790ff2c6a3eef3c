"""`printed`: what MAESTRO prints for mappings of any kind, one by one as columns of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.accelerator.datacentric.accounting import area_and_power, printed_energy_nj
from designgym.simulators.accelerator.datacentric.batch import Batch, Hardware
from designgym.simulators.accelerator.datacentric.mapping import Mapping
from designgym.simulators.accelerator.datacentric.model import COUNTS, evaluate
from designgym.simulators.accelerator.datacentric.rejection import REASONS, UPSTREAM
from designgym.simulators.accelerator.datacentric.shape import ConvShape

__all__ = ["EXACT", "ROUNDED", "printed", "refusals"]

ROUNDED = ("energy_nJ", "area_um2", "power_mW", "throughput_MACs_per_cycle", "avg_utilised_pes", "utilisation")
"""Columns printed with six significant digits."""

EXACT = tuple(name for name in COUNTS if name not in ROUNDED and not name.endswith(("in_bytes_req", "w_bytes_req", "out_bytes_req")))
"""Columns of whole numbers, printed in full."""


def printed(cases: Sequence[tuple[Mapping, ConvShape, Hardware]]) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Return the columns `EXACT` and `ROUNDED`, NaN where there is none, and a code of `REASONS` per case, 0 where there are results."""
    table = {name: np.full(len(cases), np.nan) for name in (*EXACT, *ROUNDED)}
    codes = np.zeros(len(cases))
    kinds: dict[tuple[bool, int], list[int]] = {}
    for number, (mapping, shape, _) in enumerate(cases):
        kinds.setdefault((shape.depthwise, len(mapping.levels)), []).append(number)
    for (_, levels), members in kinds.items():
        batch = Batch.of(*([cases[i][part] for i in members] for part in range(3)))  # type: ignore[arg-type]
        costs = evaluate(batch, printed=True)
        found = {name: np.asarray(values) for name, values in costs.counts.items()}
        area, power = area_and_power(found, batch.hardware)
        with np.errstate(invalid="ignore", divide="ignore"):
            found |= {
                "energy_nJ": printed_energy_nj(found, levels),
                "area_um2": area,
                "power_mW": power,
                "throughput_MACs_per_cycle": found["num_macs"] / found["runtime_cycles"],
                "utilisation": found["avg_utilised_pes"] / batch.hardware[0],
            }
        codes[members] = costs.rejected
        for name, column in table.items():
            column[members] = np.where(costs.rejected == 0, found[name], np.nan)
    return table, codes


def refusals(codes: NDArray[np.float64]) -> list[str]:
    """Return the reasons of codes in words, with what MAESTRO does; empty for 0."""
    return [f"{REASONS[int(code)]} (MAESTRO: {UPSTREAM[int(code)]})" if code else "" for code in codes]
