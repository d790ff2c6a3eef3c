"""`MaestroMapping`: two-level mappings of a layer or a network onto an array of PEs, as a simulator of designs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.accelerator.arrays import to_numpy
from designgym.simulators.accelerator.datacentric.accounting import PRINTED_DRAM, PRINTED_L2, full, printed_energy_nj
from designgym.simulators.accelerator.datacentric.batch import Batch
from designgym.simulators.accelerator.datacentric.design_batch import layer_batches
from designgym.simulators.accelerator.datacentric.exact import count
from designgym.simulators.accelerator.datacentric.model import evaluate
from designgym.simulators.accelerator.datacentric.rejection import REASONS
from designgym.simulators.accelerator.datacentric.space import mapping_space
from designgym.simulators.accelerator.datacentric.totals import LARGEST, Columns, network_metrics
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.workloads import find_network

__all__ = ["DEFAULT_LAYER", "METRICS", "Accounting", "MaestroMapping"]

Accounting = Literal["full", "as_printed"]
DEFAULT_LAYER = "resnet18/conv2_1"  # ArchGym's

METRICS = (
    metric("latency_cycles", goal="min", doc="cycles, of a network summed over its layers"),
    metric("energy_nj", goal="min", doc="energy of MACs, L1, L2, network and DRAM; with accounting=as_printed what MAESTRO prints"),
    metric("area_mm2", goal="min", doc="area of PEs, required buffers, bus and arbiter, after MAESTRO"),
    metric("power_mw", goal="min", doc="power of the same when busy, after MAESTRO; DRAM is not in it"),
    metric("throughput_macs_per_cycle", unit="1", goal="max", doc="the layers' multiply-accumulate operations per cycle"),
    metric("utilisation", goal="max", doc="average share of PEs that have work in a step; of a network, weighted by cycles"),
    metric("l1_bytes", goal="min", doc="double buffer that a PE needs, an element being a byte"),
    metric("l2_bytes", goal="min", doc="shared double buffer that is needed"),
    metric("noc_bw_required", goal="min", doc="elements per cycle at which the network never holds up a step"),
    metric("l2_accesses", goal="min", doc="elements read from and written to L2; with accounting=as_printed those that MAESTRO counts"),
    metric("dram_accesses", goal="min", doc="elements read from and written to DRAM; with accounting=as_printed each one once"),
)


class MaestroMapping:
    """The data-centric model on ArchGym's 17 parameters.

    Args:
        layer: The layer or network whose sizes bound the tiles: a name, or the path of a file.
        accounting: ``full``, the loops as they are (`exact`), or ``as_printed``: what MAESTRO prints, with its omissions and errors.
        noc_bw: Elements per cycle between L2 and clusters, each way.
        offchip_bw: Elements per cycle between DRAM and L2.
        hop_latency: Cycles on the way through the network.
        lanes: Multipliers of a PE.
        device: Where to compute: ``numpy`` on the CPU, or a device of torch (``cpu``, ``cuda``). Results are the same.

    Raises:
        InputError: For an unknown layer or a value that cannot be used.
    """

    name = "maestro-mapping"
    version = "3"
    metrics: tuple[MetricSpec, ...] = METRICS
    deterministic = True

    def __init__(
        self,
        *,
        layer: str = DEFAULT_LAYER,
        accounting: Accounting = "full",
        noc_bw: int = 64,
        offchip_bw: int = 16,
        hop_latency: int = 1,
        lanes: int = 1,
        device: str = "numpy",
    ) -> None:
        if accounting not in get_args(Accounting):
            raise InputError(f"accounting must be one of {', '.join(get_args(Accounting))}, got {shorten(accounting)}")
        numbers = {"noc_bw": noc_bw, "offchip_bw": offchip_bw, "hop_latency": hop_latency, "lanes": lanes}
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1 << 30:
                raise InputError(f"{name} must be a whole number from 1 to 2^30, got {shorten(value)}")
        if not isinstance(layer, str):
            raise InputError(f"layer must be a name or the path of a file, got {shorten(layer)}")
        self._hardware = (noc_bw, offchip_bw, hop_latency, lanes)
        self._printed, self._device = accounting == "as_printed", device
        _converter(device)  # refuses a device that is not here
        self.space = mapping_space(find_network(layer))
        self.resources = Resources(cpus=1.0, gpus=1.0 if device.startswith("cuda") else 0.0)
        if (accounting, self._hardware) != ("full", (64, 16, 1, 1)):  # results depend on them
            self.version = f"{MaestroMapping.version}+{blake3(repr((accounting, self._hardware)).encode()).hexdigest(8)}"

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Evaluate every design on the workload, a `Network`; tiles are cut to each layer's sizes.

        Raises:
            InputError: If the workload is not a network, or the fidelity not 1.
        """
        network = workload.data
        if not isinstance(network, Network):
            raise InputError(f"workload {workload.name!r} of a mapping must be a Network, got {type(network).__name__}")
        if fidelity != 1:
            raise InputError(f"the model has one fidelity, 1, got {fidelity}")
        started = time.perf_counter()
        reasons = [self.space.violations(design) for design in designs]
        legal = [design for design, problems in zip(designs, reasons, strict=True) if not problems]
        values, codes = self._values(legal, network) if legal else ({}, np.zeros(0))
        cost_s = (time.perf_counter() - started) / max(len(designs), 1)
        columns = {name: column.tolist() for name, column in values.items()}
        results: list[Metrics] = []
        number = 0
        for problems in reasons:
            if problems:
                results.append(Metrics.infeasible(problems))
                continue
            if code := int(codes[number]):
                results.append(Metrics.infeasible([REASONS[code]], cost_s))
            else:
                results.append(Metrics({name: column[number] for name, column in columns.items()}, cost_s=cost_s))
            number += 1
        return results

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: the model itself takes microseconds."""
        return None

    def _values(self, designs: Sequence[Design], network: Network) -> tuple[Columns, NDArray[np.float64]]:
        """Return the metrics of legal designs, shape (n,) each, and codes of why there are none."""
        layers: list[tuple[int, Columns]] = []
        codes = np.zeros(len(designs))
        for counts, batch in layer_batches(designs, network, self._hardware):
            rows, rejected = self._rows(batch)
            shape = (len(counts), len(designs))
            codes = np.maximum(codes, rejected.reshape(shape).max(axis=0))
            by_layer = {name: values.reshape(shape) for name, values in rows.items()}
            layers += [(count, {name: values[i] for name, values in by_layer.items()}) for i, count in enumerate(counts)]
        pes = np.array([design["num_pe"] for design in designs], dtype=np.float64)
        return network_metrics(layers, pes, self._hardware, network.macs), codes

    def _rows(self, batch: Batch) -> tuple[Columns, NDArray[np.float64]]:
        batch = batch.converted(_converter(self._device))
        return _printed_rows(batch) if self._printed else (_full_rows(batch), np.zeros(len(batch)))


def _printed_rows(batch: Batch) -> tuple[Columns, NDArray[np.float64]]:
    """Return the figures of layers as MAESTRO counts them, and codes of what it refuses."""
    costs = evaluate(batch)
    counts = {name: to_numpy(values) for name, values in costs.counts.items()}
    cycles = counts["runtime_cycles"]
    return {
        "energy_nj": printed_energy_nj(counts, len(batch.levels)),
        "l2_accesses": np.sum([counts[name] for name in PRINTED_L2], axis=0),
        "dram_accesses": np.sum([counts[name] for name in PRINTED_DRAM], axis=0),
        "latency_cycles": cycles,
        "busy": cycles * counts["avg_utilised_pes"],
        "l1_bytes": counts["l1_bytes_req"],
        "l2_bytes": counts["l2_bytes_req"],
        "noc_bw_required": counts["noc_bw_req"],
    }, to_numpy(costs.rejected)


def _full_rows(batch: Batch) -> Columns:
    counted = {name: to_numpy(values) for name, values in count(batch).items()}
    detailed = full(counted)
    return {
        "energy_nj": np.sum([values for name, values in detailed.items() if name.endswith("_nj")], axis=0),
        "l2_accesses": detailed["l2_accesses"],
        "dram_accesses": detailed["dram_accesses"],
        "latency_cycles": counted["cycles"],
        "busy": counted["cycles"] * counted["active_pes"],
        **{name: counted[name] for name in LARGEST},
    }


def _converter(device: str) -> Any:
    """Return what brings an array of numpy to where it is computed."""
    if device == "numpy":
        return lambda array: array
    import torch

    try:
        place = torch.device(device)
        torch.zeros(1, device=place)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InputError(
            f"device must be numpy or a device of torch that is here, such as cpu or cuda, got {shorten(device)}: {error}"
        ) from None
    return lambda array: torch.as_tensor(array, device=place)
