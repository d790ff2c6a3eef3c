"""`ScaleSim`: systolic arrays, simulated cycle by cycle by SCALE-Sim."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from designgym.core.design import Design
from designgym.core.discrete import Ordinal, PowerOfTwo
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.parameter_base import Parameter
from designgym.core.parameters import Categorical
from designgym.core.program_results import measured, require_seconds
from designgym.core.protocols import Resources
from designgym.core.python_package import PythonPackage
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.accelerator.external.layers import layers_of, numbers_in
from designgym.simulators.accelerator.network import Network

__all__ = ["PACKAGE", "Interface", "ScaleSim"]

PACKAGE = PythonPackage(
    "SCALE-Sim",
    ("scalesim",),
    "DESIGNGYM_SCALESIM_PYTHON",
    "It needs an environment of its own: `python3 -m venv scalesim && scalesim/bin/pip install scalesim 'numpy<2.4'`, then set "
    "DESIGNGYM_SCALESIM_PYTHON to scalesim/bin/python",
    below={"numpy": (2, 4)},  # size-1 arrays are no numbers any more
)
Interface = Literal["given", "calculated"]
DATAFLOWS = {"weight_stationary": "ws", "output_stationary": "os", "input_stationary": "is"}
_SUMS = (
    "latency_cycles", "prefetch_cycles", "stall_cycles",
    "ifmap_sram_reads", "filter_sram_reads", "ofmap_sram_writes", "ifmap_dram_reads", "filter_dram_reads", "ofmap_dram_writes",
)  # fmt: skip
_RUNNER = Path(__file__).with_name("scalesim_runner.py")


class ScaleSim:
    """Systolic arrays with three double-buffered SRAMs, simulated by SCALE-Sim (Samajdar et al., ISPASS 2020), a process per design.

    It takes about 20 s per layer of a hundred million multiply-accumulates. A depthwise layer is one channel, as often as it has them.

    Args:
        interface: ``given``: each SRAM has a bandwidth to DRAM, which the array waits for; ``calculated``: they have what is needed.
        python: A Python that has SCALE-Sim; None takes the environment variable ``DESIGNGYM_SCALESIM_PYTHON``, else our own.
        timeout_s: Seconds that one design may take.

    Raises:
        InputError: For an option that cannot be.
    """

    name = "scalesim"
    deterministic = True
    resources = Resources(cpus=1.0, memory_bytes=2 << 30)
    metrics: tuple[MetricSpec, ...] = (
        metric("latency_cycles", goal="min", doc="cycles of all layers, one after the other, filling the SRAMs first included"),
        metric("prefetch_cycles", goal="min", doc="those of filling the SRAMs, and of draining them"),
        metric("stall_cycles", goal="min", doc="those in which the array waits for DRAM"),
        metric("utilisation", goal="max", doc="multiply-accumulates per cycle and processing element"),
        metric("sram_accesses", goal="min", doc="words read and written in all SRAMs by the array"),
        metric("dram_accesses", goal="min", doc="words read from and written to DRAM"),
        metric("pes", goal="min", doc="processing elements"),
        metric("sram_kib", goal="min", doc="all three SRAMs, a word being a byte"),
    )

    def __init__(
        self,
        *,
        interface: Interface = "given",
        python: str | os.PathLike[str] | None = None,
        timeout_s: float = 1800.0,
    ) -> None:
        if interface not in get_args(Interface):
            raise InputError(f"option interface is {shorten(interface)}, expected one of {', '.join(get_args(Interface))}")
        self._timeout_s = require_seconds(timeout_s)
        self.python = PACKAGE.python(python)
        self.space = scalesim_space(bandwidths=interface == "given")

    @property
    def version(self) -> str:
        """Name SCALE-Sim's version when first asked; what the interface is like, the space says."""
        return f"1+{PACKAGE.version(self.python)}"

    def installed(self) -> tuple[bool, str]:
        """Return whether SCALE-Sim is there, and where, or how to get it."""
        return PACKAGE.installed(self.python)

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Evaluate designs on a network, layer by layer; what goes wrong is a status.

        Raises:
            InputError: If the workload is not a `Network`, or the fidelity not 1.
            NotInstalledError: If SCALE-Sim is not there.
        """
        network = layers_of(workload, fidelity)
        return [measured(partial(self.run, design, network)) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: there is no cheap run."""

    def run(self, design: Mapping[str, Any], network: Network) -> dict[str, float]:
        """Return the metrics of a design.

        Raises:
            NotInstalledError: If SCALE-Sim is not there.
            ProgramError: If it failed; `ProgramTimeout` if it took too long, `OutputError` for an answer that cannot be.
        """
        job = {
            "design": {**design, "dataflow": DATAFLOWS[design["dataflow"]]},
            "layers": [asdict(layer) for layer, _ in network.layers],
        }
        answer = PACKAGE.run(_RUNNER, job, python=self.python, timeout_s=self._timeout_s)
        totals = numbers_in(answer, _SUMS, network, of="SCALE-Sim")
        pes = float(design["rows"] * design["columns"])
        return {
            **{name: totals[name] for name in ("latency_cycles", "prefetch_cycles", "stall_cycles")},
            "utilisation": network.macs / (totals["latency_cycles"] * pes),
            "sram_accesses": sum(value for name, value in totals.items() if "sram" in name),
            "dram_accesses": sum(value for name, value in totals.items() if "dram" in name),
            "pes": pes,
            "sram_kib": float(sum(design[f"{name}_sram_kib"] for name in ("ifmap", "filter", "ofmap"))),
        }


def scalesim_space(*, bandwidths: bool) -> DesignSpace:
    """Return the space: the array, its dataflow, the SRAMs, and, if wanted, their bandwidths to DRAM."""
    parameters: dict[str, Parameter] = {
        "rows": PowerOfTwo(4, 256, default=32),
        "columns": PowerOfTwo(4, 256, default=32),
        "dataflow": Categorical(*DATAFLOWS),
    }
    for name in ("ifmap", "filter", "ofmap"):
        parameters[f"{name}_sram_kib"] = PowerOfTwo(2, 1024, default=64)
    if bandwidths:
        for name in ("ifmap", "filter", "ofmap"):
            parameters[f"{name}_words_per_cycle"] = Ordinal(1, 2, 4, 8, 16, 32, 64, default=16)
    return DesignSpace(parameters, version="1")
