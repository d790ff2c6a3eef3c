"""The real MAESTRO as a simulator, for those who have it: same space and same metrics as our own with ``accounting="as_printed"``."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError, shorten
from designgym.core.external import run_program
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.program_results import OutputError, measured, require_seconds
from designgym.core.protocols import Resources
from designgym.core.user_program import executable, given_path
from designgym.core.workload import Workload
from designgym.simulators.accelerator.datacentric.accounting import PRINTED_DRAM, PRINTED_L2
from designgym.simulators.accelerator.datacentric.design_batch import mapping_of
from designgym.simulators.accelerator.datacentric.mapping_text import MappedLayer, print_network
from designgym.simulators.accelerator.datacentric.simulator import DEFAULT_LAYER, METRICS
from designgym.simulators.accelerator.datacentric.space import mapping_space
from designgym.simulators.accelerator.datacentric.totals import network_metrics
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.workloads import find_network

__all__ = ["VARIABLE", "MaestroBinary"]

VARIABLE = "DESIGNGYM_MAESTRO"
"""Environment variable with the path of the MAESTRO executable."""

_HOW_TO_GET_IT = f"Build https://github.com/maestro-project/maestro (tested: commit 4eb08d1) and set {VARIABLE} to its executable"
_UNLIMITED = 1 << 30  # bytes; MAESTRO's limits on buffers never change its results
_COLUMNS = {
    "runtime_cycles": "Runtime (Cycles)", "energy_nJ": "Activity count-based Energy (nJ)", "avg_utilised_pes": "Avg number of utilized PEs",
    "noc_bw_req": "NoC BW Req (Elements/cycle)", "l1_bytes_req": "L1 SRAM Size Req (Bytes)", "l2_bytes_req": "L2 SRAM Size Req (Bytes)",
    "l2_in_rd": "input l2 read", "l2_in_wr": "input l2 write", "l2_w_rd": "filter l2 read", "l2_w_wr": "filter l2 write",
    "l2_out_rd": "output l2 read", "l2_out_wr": "output l2 write",
}  # fmt: skip


class MaestroBinary:
    """Evaluates mappings with the user's MAESTRO, one process per design and layer, each in a folder of its own with a time limit.

    Args:
        path: The executable; None takes the environment variable ``DESIGNGYM_MAESTRO``.
        layer: As for `MaestroMapping`; likewise noc_bw, offchip_bw, hop_latency and lanes.
        timeout_s: Seconds that one run may take.

    Raises:
        InputError: If the limit is not more than 0 s.
    """

    name = "maestro"
    deterministic = True
    metrics: tuple[MetricSpec, ...] = METRICS
    resources = Resources(cpus=1.0, memory_bytes=100 << 20)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        layer: str = DEFAULT_LAYER,
        noc_bw: int = 64,
        offchip_bw: int = 16,
        hop_latency: int = 1,
        lanes: int = 1,
        timeout_s: float = 60.0,
    ) -> None:
        self.path = given_path(path, VARIABLE)
        self._hardware, self._timeout_s = (noc_bw, offchip_bw, hop_latency, lanes), require_seconds(timeout_s)
        self.space = mapping_space(find_network(layer))

    @property
    def version(self) -> str:
        """Name the executable by its content when first asked, and the hardware, so that different results are never mixed."""
        return self._version

    @cached_property
    def _version(self) -> str:
        if self.path is None or not self.path.is_file():
            return "1+missing"
        hasher = blake3(self.path.read_bytes())
        hasher.update(repr(self._hardware).encode())
        return f"1+{hasher.hexdigest(length=8)}"

    def installed(self) -> tuple[bool, str]:
        """Return whether the executable is there, and its path or how to get it."""
        return executable(self.path, VARIABLE, _HOW_TO_GET_IT)

    def run(self, design: Design, layer: Layer) -> dict[str, float]:
        """Run MAESTRO once and return what it prints, by the names of our own columns.

        Raises:
            NotInstalledError: If the executable is missing or cannot be started.
            ProgramTimeout: If it ran longer than the limit and was killed.
            ProgramError: If it failed; exit code and stderr come first.
            OutputError: If it ended normally, but left no table of results.
        """
        found, where = self.installed()
        if not found:
            raise NotInstalledError(f"MAESTRO is not installed: {where}")
        mapping, shape = mapping_of(design, layer)
        noc_bw, offchip_bw, hop_latency, lanes = self._hardware
        hardware = {
            "num_pes": design["num_pe"], "l1_size_cstr": _UNLIMITED, "l2_size_cstr": _UNLIMITED, "noc_bw_cstr": noc_bw,
            "offchip_bw_cstr": offchip_bw, "NoC_NumHops": hop_latency,
        }  # fmt: skip
        files = {
            "mapping.m": print_network([MappedLayer("layer", shape, mapping)]),
            "hardware.m": "".join(f"{name}: {value}\n" for name, value in hardware.items()),
        }
        options = ["--HW_file=hardware.m", "--Mapping_file=mapping.m", "--print_res=false", "--print_res_csv_file=true",
                   "--print_log_file=false", "--noc_mc_support=true", f"--num_simd_lanes={lanes}"]  # fmt: skip
        result = run_program([where, *options], timeout_s=self._timeout_s, files=files, collect=["mapping.csv"])
        return _parsed(result.files["mapping.csv"])

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Return one result per design, in order; crashes, time limits and garbage are statuses.

        Raises:
            InputError: If the workload is not a network, or the fidelity not 1.
        """
        if not isinstance(workload.data, Network):
            raise InputError(f"workload {workload.name!r} of a mapping must be a Network, got {type(workload.data).__name__}")
        if fidelity != 1:
            raise InputError(f"MAESTRO has one fidelity, 1, got {fidelity}")
        return [self._evaluated(design, workload.data) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: there is no cheap run."""
        return None

    def _evaluated(self, design: Design, network: Network) -> Metrics:
        if reasons := self.space.violations(design):
            return Metrics.infeasible(reasons)
        return measured(partial(self._values, design, network))

    def _values(self, design: Design, network: Network) -> dict[str, float]:
        layers = []
        for layer, count in network.layers:
            printed = self.run(design, layer)
            figures = {
                "latency_cycles": printed["runtime_cycles"],
                "busy": printed["runtime_cycles"] * printed["avg_utilised_pes"],
                "energy_nj": printed["energy_nJ"],
                "l1_bytes": printed["l1_bytes_req"],
                "l2_bytes": printed["l2_bytes_req"],
                "noc_bw_required": printed["noc_bw_req"],
                "l2_accesses": sum(printed[name] for name in PRINTED_L2),
                "dram_accesses": sum(printed[name] for name in PRINTED_DRAM),
            }
            layers.append((count, {name: np.array([value]) for name, value in figures.items()}))
        columns = network_metrics(layers, np.array([float(design["num_pe"])]), self._hardware, network.macs)
        return {name: float(column[0]) for name, column in columns.items()}


def _parsed(text: str) -> dict[str, float]:
    """Return the columns of MAESTRO's table of one row."""
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if len(rows) != 2:
        raise OutputError(f"MAESTRO exited with code 0, but its table has {len(rows)} lines, expected two: {shorten(text, 200)}")
    cells = dict(zip(map(str.strip, rows[0]), map(str.strip, rows[1]), strict=False))
    try:
        found = {name: float(cells[column]) for name, column in _COLUMNS.items()}
    except (KeyError, ValueError) as error:
        raise OutputError(f"MAESTRO exited with code 0, but its table lacks a number: {error}; line: {shorten(rows[1], 200)}") from None
    if not all(np.isfinite(value) for value in found.values()) or found["runtime_cycles"] <= 0:
        raise OutputError(f"MAESTRO exited with code 0, but computed nothing: {shorten(found, 200)}")
    return found
