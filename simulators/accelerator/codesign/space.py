"""The design space of accelerators: the parameters of a `Machine`, and which machines are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designgym.core.parameter_base import Parameter
from designgym.core.parameters import Categorical, Ordinal
from designgym.core.rules import Condition, Interchangeable, Rewrite
from designgym.core.space import DesignSpace
from designgym.simulators.accelerator.codesign.machine import HELD

__all__ = ["EYERISS", "MACHINE_PARAMETERS", "codesign_space"]

_SIDES = (4, 6, 7, 8, 12, 14, 16, 24, 28, 32)
_WORDS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 224, 256, 384, 512)
_GLB_RATES, _DRAM_RATES = (2, 4, 8, 16, 32, 64), (1, 2, 4, 8, 16)

MACHINE_PARAMETERS: dict[str, Parameter] = {
    "dataflow": Categorical(*HELD, default="row_stationary"),
    "columns": Ordinal(*_SIDES, default=14),
    "rows": Ordinal(*_SIDES, default=14),
    "weights_words": Ordinal(*_WORDS, default=224),
    "inputs_words": Ordinal(*_WORDS, default=12),
    "psums_words": Ordinal(*_WORDS, default=24),
    "glb_kib": Ordinal(8, 16, 32, 64, 108, 128, 192, 256, 512, 1024, default=108),
    "weights_in_glb": Categorical(False, True, default=False),
    "glb_words_per_cycle": Ordinal(*_GLB_RATES, default=4),
    "dram_words_per_cycle": Ordinal(*_DRAM_RATES, default=1),
}
"""Parameters of the hardware."""

EYERISS: dict[str, Any] = {name: parameter.default for name, parameter in MACHINE_PARAMETERS.items()} | {"rows": 12}
"""A design like the Eyeriss chip (Chen et al., JSSC 2017): the defaults, with an array of 14 x 12."""

_BUFFERS = {"Weights": "weights_words", "Inputs": "inputs_words", "Outputs": "psums_words"}


def codesign_space(mappings: Mapping[str, Parameter] | None = None, dram_words_per_cycle: int | None = None) -> DesignSpace:
    """Return the space of machines, with parameters of mappings if they are part of designs, and with a given bandwidth of DRAM."""
    given = {} if dram_words_per_cycle is None else {"dram_words_per_cycle": Ordinal(dram_words_per_cycle)}
    # all that DRAM hands over is written into the global buffer, and all that goes back was: faster than that it is never asked
    useless = Rewrite("dram_words_per_cycle", "min(dram_words_per_cycle, glb_words_per_cycle)", "weights_in_glb")
    without = {
        buffer: [dataflow for dataflow, held in HELD.items() if tensor not in held] for tensor, buffer in _BUFFERS.items()
    }  # fmt: skip
    return DesignSpace(
        {**MACHINE_PARAMETERS, **given, **(mappings or {})},
        version="1",
        conditions=[Condition(buffer, f"dataflow not in {dataflows!r}") for buffer, dataflows in without.items()],
        symmetries=[Interchangeable("columns", "rows"), *([] if given else [useless])],
    )
