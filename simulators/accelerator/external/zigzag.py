"""`ZigZag`: ZigZag's own accelerators with other arrays, buffers and bandwidths, each layer with the mapping that ZigZag finds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.discrete import Integer, Ordinal
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.parameters import Categorical
from designgym.core.program_results import OutputError, measured, require_seconds
from designgym.core.protocols import Resources
from designgym.core.python_package import PythonPackage
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.accelerator.external.layers import layers_of, numbers_in
from designgym.simulators.accelerator.network import Network

__all__ = ["PACKAGE", "TEMPLATES", "Goal", "ZigZag"]

PACKAGE = PythonPackage(
    "ZigZag",
    ("zigzag-dse", "six"),  # its validator imports six without declaring it
    "DESIGNGYM_ZIGZAG_PYTHON",
    "Run `pip install 'designgym[zigzag]'`, or set DESIGNGYM_ZIGZAG_PYTHON to a Python that has them",
)
TEMPLATES = ("tpu_like", "edge_tpu_like", "meta_prototype", "eyeriss_like", "ascend_like", "tesla_npu_like")
"""Accelerators that come with ZigZag 3.9."""

Goal = Literal["EDP", "energy", "latency"]
_FACTORS = ("rows", "columns", "register", "buffer", "buffer_bandwidth", "dram_bandwidth")
_RUNNER = Path(__file__).with_name("zigzag_runner.py")


class ZigZag:
    """Accelerators evaluated by ZigZag (Mei et al., IEEE Transactions on Computers 2021), a process per design.

    A design is one of ZigZag's accelerators and factors on it. A memory of other size or width costs energy by a law of ours: an access
    as much more as it has more bits, and by the square root of the memory's size.

    Args:
        goal: What mappings are chosen for.
        lpf_limit: Prime factors that loops are split into at most when mappings are searched; fewer are quicker.
        python: A Python that has ZigZag; None takes the environment variable ``DESIGNGYM_ZIGZAG_PYTHON``, else our own.
        timeout_s: Seconds that one design may take.

    Raises:
        InputError: For an option that cannot be.
    """

    name = "zigzag"
    deterministic = True
    resources = Resources(cpus=1.0, memory_bytes=500 << 20)
    metrics: tuple[MetricSpec, ...] = (
        metric("latency_cycles", goal="min", doc="cycles of all layers, one after the other, with loading and unloading"),
        metric("energy_pj", goal="min", doc="multiplications, and accesses to all memories, DRAM included"),
        metric("mac_energy_pj", goal="min", doc="multiplications alone"),
        metric("utilisation", goal="max", doc="multiply-accumulates per cycle and multiplier"),
        metric("multipliers", goal="min", doc="of the array"),
        metric("onchip_kib", goal="min", doc="all memories on the chip, registers included"),
    )

    def __init__(
        self,
        *,
        goal: Goal = "EDP",
        lpf_limit: int = 6,
        python: str | os.PathLike[str] | None = None,
        timeout_s: float = 1800.0,
    ) -> None:
        if goal not in get_args(Goal):
            raise InputError(f"option goal is {shorten(goal)}, expected one of {', '.join(get_args(Goal))}")
        if isinstance(lpf_limit, bool) or not isinstance(lpf_limit, int) or not 1 <= lpf_limit <= 12:
            raise InputError(f"option lpf_limit is {shorten(lpf_limit)}, expected a whole number from 1 to 12")
        self._goal, self._lpf_limit, self._timeout_s = goal, lpf_limit, require_seconds(timeout_s)
        self.python = PACKAGE.python(python)
        self.space = zigzag_space()

    @property
    def version(self) -> str:
        """Name ZigZag's version when first asked, and the options that results depend on."""
        options = blake3(repr((self._goal, self._lpf_limit)).encode()).hexdigest(4)
        return f"1+{PACKAGE.version(self.python)}+{options}"

    def installed(self) -> tuple[bool, str]:
        """Return whether ZigZag is there, and where, or how to get it."""
        return PACKAGE.installed(self.python)

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Evaluate designs on a network, layer by layer; what goes wrong is a status.

        Raises:
            InputError: If the workload is not a `Network`, or the fidelity not 1.
            NotInstalledError: If ZigZag is not there.
        """
        network = layers_of(workload, fidelity)
        return [measured(partial(self.run, design, network)) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: there is no cheap run."""

    def run(self, design: Mapping[str, Any], network: Network) -> dict[str, float]:
        """Return the metrics of a design.

        Raises:
            NotInstalledError: If ZigZag is not there.
            RefusedError: If ZigZag finds no mapping, since memories are too small.
            ProgramError: If it failed; `ProgramTimeout` if it took too long, `OutputError` for an answer that cannot be.
        """
        job = {
            "template": design["template"],
            "factors": {name: design[f"{name}_factor"] for name in _FACTORS},
            "layers": [asdict(layer) for layer, _ in network.layers],
            "bits": {"I": 8, "W": 8, "O": 16, "O_final": 8},  # of an operand; partial sums have 16
            "goal": self._goal,
            "lpf_limit": self._lpf_limit,
        }
        answer = PACKAGE.run(_RUNNER, job, python=self.python, timeout_s=self._timeout_s)
        totals = numbers_in(answer, ("latency_cycles", "energy_pj", "mac_energy_pj"), network, of="ZigZag")
        multipliers, onchip_kib = answer.get("multipliers"), answer.get("onchip_kib")
        if not isinstance(multipliers, int | float) or not isinstance(onchip_kib, int | float) or not multipliers > 0:
            raise OutputError(f"ZigZag exited with code 0, but its answer lacks the size of the accelerator: {shorten(answer, 200)}")
        utilisation = network.macs / (totals["latency_cycles"] * multipliers)
        return {**totals, "utilisation": utilisation, "multipliers": float(multipliers), "onchip_kib": float(onchip_kib)}


def zigzag_space() -> DesignSpace:
    """Return the space: an accelerator, and factors on what it is like as it comes (1)."""
    return DesignSpace(
        {
            "template": Categorical(*TEMPLATES),
            "rows_factor": Ordinal(0.25, 0.5, 1, 2, 4, default=1),
            "columns_factor": Ordinal(0.5, 1, 2, 4, default=1),
            "register_factor": Integer(1, 8, default=1),
            "buffer_factor": Ordinal(0.125, 0.25, 0.5, 1, 2, 4, default=1),
            "buffer_bandwidth_factor": Ordinal(0.25, 0.5, 1, 2, 4, default=1),
            "dram_bandwidth_factor": Ordinal(0.5, 1, 2, 4, 8, default=1),
        },
        version="1",
    )
