"""`AcceleratorCodesign`: machines for a whole network, each layer with the best mapping that is known for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.accelerator.codesign.inner import Chosen, InnerMapper, Scope, Table
from designgym.simulators.accelerator.codesign.library import Goal
from designgym.simulators.accelerator.codesign.machine import Machine
from designgym.simulators.accelerator.codesign.outer import OuterMapper
from designgym.simulators.accelerator.codesign.space import codesign_space
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.energy import AREA_NODE_NM, CactiEnergies, TimeloopEnergies
from designgym.simulators.accelerator.loopnest.mapping import Loops
from designgym.simulators.accelerator.loopnest.problem import DIMS
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.workloads import find_network

__all__ = ["METRICS", "AcceleratorCodesign"]

METRICS = (
    metric("latency_cycles", goal="min", doc="cycles of all layers, one after the other"),
    metric("latency_ns", goal="min", doc="cycles at the clock"),
    metric("energy_pj", goal="min", doc="DRAM, buffers, network and multiply-accumulates of all layers; no leakage"),
    metric("energy_per_mac_pj", goal="min", doc="energy by multiply-accumulates"),
    metric("edp_pj_ns", unit="pJ ns", goal="min", doc="energy-delay product of the whole network"),
    metric("area_mm2", goal="min", doc="buffers, multipliers and the bus on the chip, without control"),
    metric("utilisation", goal="max", doc="multiply-accumulates per cycle and processing element"),
    metric("dram_words", goal="min", doc="words of 16 bits read from and written to DRAM"),
    metric("glb_words", goal="min", doc="words read from and written to the global buffer"),
)

_USUAL = ("edp", 4000, 0, "kind", "cacti", AREA_NODE_NM, 1.0, "inner")


class AcceleratorCodesign:
    """Co-design of hardware and mappings: a design is a `Machine`, evaluated by Timeloop's rules on mappings from `InnerMapper`.

    Fidelity is the share of the mapper's evaluations; more of them never make a result worse in terms of the mapper's goal.

    Args:
        mapper_goal: What mappings are chosen for: ``latency``, ``energy`` or ``edp``.
        mapper_evaluations: Mappings that are evaluated for a layer and a kind of machine, once for all sizes, 6 times as many if elements
            hold all tensors; or for each size.
        mapper_seed: Of the mapper's random choices.
        mapper_scope: ``kind``: one search for all machines with the same dataflow; or ``machine``: one for each, whatever its bandwidths.
        energies: ``cacti``, a power law at the node, or ``timeloop``, its built-in table.
        node_nm: Technology node of areas, and of energies if they are ``cacti``.
        clock_ghz: Clock.
        dram_words_per_cycle: Bandwidth of DRAM, if it is given and no parameter.
        mapping: ``inner``: chosen by the mapper; or ``outer``: part of the design, with parameters for each layer of ``network``.
        network: Whose layers have parameters: a name or the path of a file; with ``mapping="outer"`` only.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "accelerator-codesign"
    version = "2"
    metrics: tuple[MetricSpec, ...] = METRICS
    deterministic = True
    resources = Resources(cpus=1.0)

    def __init__(
        self, *, mapper_goal: Goal = "edp", mapper_evaluations: int = 4000, mapper_seed: int = 0, mapper_scope: Scope = "kind",
        energies: Literal["cacti", "timeloop"] = "cacti", node_nm: float = AREA_NODE_NM, clock_ghz: float = 1.0,
        dram_words_per_cycle: int | None = None,
        mapping: Literal["inner", "outer"] = "inner", network: str | None = None,
    ) -> None:  # fmt: skip
        if energies not in ("cacti", "timeloop"):
            raise InputError(f"energies must be cacti or timeloop, got {shorten(energies)}")
        if mapping not in ("inner", "outer"):
            raise InputError(f"mapping must be inner or outer, got {shorten(mapping)}")
        if (mapping == "outer") != (network is not None):
            raise InputError(f"network= names the network whose mappings are searched: give it with mapping='outer' only, got {network!r}")
        if isinstance(clock_ghz, bool) or not isinstance(clock_ghz, int | float) or not 0 < clock_ghz <= 100:
            raise InputError(f"clock_ghz must be a number above 0 and at most 100, got {shorten(clock_ghz)}")
        cacti = CactiEnergies(node_nm)  # refuses a node out of range
        table: Table = cacti if energies == "cacti" else TimeloopEnergies()
        self.mapper = InnerMapper(mapper_goal, evaluations=mapper_evaluations, seed=mapper_seed, table=table, scope=mapper_scope)
        self._node_nm, self._clock_ghz = float(node_nm), float(clock_ghz)
        self._outer = OuterMapper(find_network(network), table) if network is not None else None
        options = (mapper_goal, mapper_evaluations, mapper_seed, mapper_scope, energies, self._node_nm, self._clock_ghz, mapping)
        if options != _USUAL:
            self.version = f"{AcceleratorCodesign.version}+{blake3(repr(options).encode()).hexdigest(8)}"
        given = dram_words_per_cycle
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
            raise InputError(f"dram_words_per_cycle must be a positive whole number, got {shorten(given)}")
        self.space = codesign_space(self._outer.parameters if self._outer else None, given)

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Map and evaluate every layer of the network on every design.

        Raises:
            InputError: If the workload is not a `Network`, the fidelity not in (0, 1], or, with mappings in the design, a layer has none.
        """
        network = _network(workload)
        if isinstance(fidelity, bool) or not isinstance(fidelity, int | float) or not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the mapper's evaluations, must be in (0, 1], got {shorten(fidelity)}")
        evaluations = max(round(fidelity * self.mapper.evaluations), 1)
        return [self._one(design, network, evaluations) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: what a design does is seen once it is mapped, and that is all the work."""

    def layers(self, design: Design, workload: Workload, evaluations: int | None = None) -> list[tuple[Layer, int, Chosen]]:
        """Return each layer of the network, how often it occurs, and what its mapping costs."""
        return self._layers(design, _network(workload), evaluations)

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the machine in a line and, given the network and mappings of the mapper's, the loops of each layer."""
        machine = Machine.of(self.space.canonical(design))
        lines = [f"{machine.dataflow}, {machine.longer} x {machine.shorter} elements, {machine.area_um2(self._node_nm) * 1e-6:.3g} mm^2"]
        if workload is not None and self._outer is None:
            names = machine.architecture().names
            for layer, _, chosen in self._layers(design, _network(workload), None):
                mapping = self.mapper.mapping(layer, machine)
                loops = [f"{name} {text}" for name, one in zip(names, mapping.temporal, strict=True) if (text := _loops(one))]
                spread = _loops(mapping.spatial) or "one element"
                share = layer.macs / (machine.pes * chosen.cycles)
                lines.append(f"{layer.name}: {chosen.cycles:.0f} cycles, {share:.0%} used; array {spread}; {'; '.join(loops)}")
        return "\n".join(lines)

    def _layers(self, design: Design, network: Network, evaluations: int | None) -> list[tuple[Layer, int, Chosen]]:
        canonical = self.space.canonical(design)
        machine = Machine.of(canonical)
        if self._outer is not None:
            return self._outer.layers(canonical, machine, network)
        return [(layer, count, self.mapper.choose(layer, machine, evaluations)) for layer, count in network.layers]

    def _one(self, design: Design, network: Network, evaluations: int) -> Metrics:
        started = time.perf_counter()
        machine = Machine.of(design)
        found = [(count, chosen) for _, count, chosen in self._layers(design, network, evaluations)]
        cycles = sum(count * chosen.cycles for count, chosen in found)
        energy_pj = sum(count * chosen.energy_pj for count, chosen in found)
        latency_ns = cycles / self._clock_ghz
        values = {
            "latency_cycles": cycles,
            "latency_ns": latency_ns,
            "energy_pj": energy_pj,
            "energy_per_mac_pj": energy_pj / network.macs,
            "edp_pj_ns": energy_pj * latency_ns,
            "area_mm2": machine.area_um2(self._node_nm) * 1e-6,
            "utilisation": network.macs / (machine.pes * cycles),
            "dram_words": sum(count * chosen.dram_words for count, chosen in found),
            "glb_words": sum(count * chosen.glb_words for count, chosen in found),
        }
        return Metrics(values, cost_s=time.perf_counter() - started)


def _loops(loops: Loops) -> str:
    """Return the loops that have more than one iteration, outermost first: ``C4 M2``."""
    return " ".join(f"{dim}{factor}" for dim in reversed(loops.order) if (factor := loops.factors[DIMS.index(dim)]) > 1)


def _network(workload: Workload) -> Network:
    if not isinstance(workload.data, Network):
        raise InputError(
            f"workload {workload.name!r} must be a Network, got {type(workload.data).__name__}: "
            "layers of your own become one with designgym.simulators.accelerator.network_workload(name, layers)"
        )
    return workload.data
