"""`EyerissAccelerator`: hardware like Eyeriss's as a simulator of designs, each with the best mappings that a mapper finds for it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.energy import AREA_NODE_NM, CactiEnergies, EnergyTable, TimeloopEnergies, area_um2
from designgym.simulators.accelerator.loopnest.eyeriss import DATAFLOW
from designgym.simulators.accelerator.loopnest.eyeriss_space import UNIT_STRIDE, eyeriss_architecture, eyeriss_space
from designgym.simulators.accelerator.loopnest.mapper import Goal, MappedLayer, Mapper
from designgym.simulators.accelerator.network import Network

__all__ = ["EyerissAccelerator", "make_workload"]

_METRICS = (
    metric("latency_cycles", goal="min", doc="cycles of all layers, one after the other"),
    metric("latency_ns", goal="min", doc="cycles at the clock"),
    metric("energy_uj", goal="min", doc="all buffers, DRAM and multiplications; no wires, no leakage"),
    metric("energy_per_mac_pj", goal="min", doc="energy by multiply-accumulates"),
    metric("edp_uj_ns", unit="uJ ns", goal="min", doc="energy-delay product"),
    metric("area_mm2", goal="min", doc="buffers and multipliers on the chip, without wires and control"),
    metric("utilisation", goal="max", doc="multiply-accumulates per cycle and processing element"),
)


def make_workload(network: Network) -> Workload:
    """Return a network as a workload, with the trait that the space's rules use."""
    unit = all(layer.stride == 1 for layer, _ in network.layers)
    return Workload(network.name, network, frozenset({UNIT_STRIDE} if unit else ()))


class EyerissAccelerator:
    """An architecture like Eyeriss's, evaluated by Timeloop's rules on the mapping that a mapper finds for each layer.

    Fidelity is the share of the mapper's evaluations. Mappings are remembered: designs that pose the mapper the same problem share them.

    Args:
        mapper_goal: What mappings are chosen for: ``latency``, ``energy`` or ``edp``.
        mapper_evaluations: Mappings that are evaluated per layer.
        mapper_seed: Of the mapper's random choices.
        energies: ``timeloop``, its built-in table, or ``cacti``, a power law at the node.
        node_nm: Technology node of areas, and of energies if they are ``cacti``.
        clock_ghz: Clock.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "eyeriss-accelerator"
    version = "3"  # 2: what comes over links fills scratchpads too; 3: a mapper that jumps
    metrics: tuple[MetricSpec, ...] = _METRICS
    deterministic = True
    resources = Resources(cpus=1.0)

    def __init__(
        self, *, mapper_goal: Goal = "edp", mapper_evaluations: int = 2000, mapper_seed: int = 0,
        energies: Literal["timeloop", "cacti"] = "timeloop", node_nm: float = AREA_NODE_NM, clock_ghz: float = 1.0,
    ) -> None:  # fmt: skip
        if energies not in ("timeloop", "cacti"):
            raise InputError(f"energies must be timeloop or cacti, got {shorten(energies)}")
        if isinstance(clock_ghz, bool) or not isinstance(clock_ghz, int | float) or not 0 < clock_ghz <= 100:
            raise InputError(f"clock_ghz must be a number above 0 and at most 100, got {shorten(clock_ghz)}")
        if not isinstance(mapper_seed, int) or isinstance(mapper_seed, bool) or mapper_seed < 0:
            raise InputError(f"mapper_seed must be a whole number, 0 or more, got {shorten(mapper_seed)}")
        table: EnergyTable = CactiEnergies(node_nm) if energies == "cacti" else TimeloopEnergies()
        self._mapper = Mapper(mapper_goal, evaluations=mapper_evaluations, seed=mapper_seed, keep=DATAFLOW, energies=table)
        self._node_nm, self._clock_ghz = node_nm, clock_ghz
        CactiEnergies(node_nm)  # refuses a node out of range
        options = (mapper_goal, mapper_evaluations, mapper_seed, energies, float(node_nm), float(clock_ghz))
        if options != ("edp", 2000, 0, "timeloop", AREA_NODE_NM, 1.0):
            self.version = f"{EyerissAccelerator.version}+{blake3(repr(options).encode()).hexdigest(8)}"
        self.space = eyeriss_space()

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Map and evaluate every layer of the network on every design.

        Raises:
            InputError: If the workload is not a `Network`, or the fidelity not in (0, 1].
        """
        network = _network(workload)
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the mapper's evaluations, must be in (0, 1], got {shorten(fidelity)}")
        evaluations = max(round(fidelity * self._mapper.evaluations), 1)
        return [self._one(design, network, evaluations) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: what a design does is only seen once it is mapped, and mapping it is the work."""

    def mapped(self, design: Mapping[str, Any], workload: Workload) -> list[tuple[Layer, int, MappedLayer]]:
        """Return each layer of the network, how often it occurs, and the mapping found for it."""
        architecture = eyeriss_architecture(design)
        return [(layer, count, self._mapper.map(layer, architecture)) for layer, count in _network(workload).layers]

    def _one(self, design: Design, network: Network, evaluations: int) -> Metrics:
        started = time.perf_counter()
        return Metrics(self._values(design, network, evaluations), cost_s=time.perf_counter() - started)

    def _values(self, design: Design, network: Network, evaluations: int) -> dict[str, float]:
        architecture: Architecture = eyeriss_architecture(self.space.canonical(design))
        found = [(count, *self._costs(layer, architecture, evaluations)) for layer, count in network.layers]
        cycles = sum(count * of_layer for count, of_layer, _ in found)
        energy_pj = sum(count * of_layer for count, _, of_layer in found)
        latency_ns = cycles / self._clock_ghz
        return {
            "latency_cycles": cycles,
            "latency_ns": latency_ns,
            "energy_uj": energy_pj * 1e-6,
            "energy_per_mac_pj": energy_pj / network.macs,
            "edp_uj_ns": energy_pj * 1e-6 * latency_ns,
            "area_mm2": area_um2(architecture, self._node_nm) * 1e-6,
            "utilisation": network.macs / (architecture.pes * cycles),
        }

    def _costs(self, layer: Layer, architecture: Architecture, evaluations: int) -> tuple[float, float]:
        """Return cycles and pJ of a layer."""
        mapped = self._mapper.map(layer, architecture, evaluations)
        return mapped.cycles, mapped.energy_pj


def _network(workload: Workload) -> Network:
    if not isinstance(workload.data, Network):
        raise InputError(f"workload {workload.name!r} of an accelerator must be a Network, got {type(workload.data).__name__}")
    return workload.data
