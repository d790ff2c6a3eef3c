"""`OuterMapper`: mappings as part of the design, with parameters for each layer, for searches over hardware and mappings in one loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from designgym.core.errors import InputError
from designgym.core.parameter_base import Parameter
from designgym.core.parameters import Categorical, PowerOfTwo
from designgym.simulators.accelerator.codesign.inner import Chosen
from designgym.simulators.accelerator.codesign.kind_mapspace import ARRAY, DRAM, ELEMENT, GLB, KindMapSpace, Rooms
from designgym.simulators.accelerator.codesign.machine import Machine
from designgym.simulators.accelerator.codesign.traffic import Prices, traffic
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.energy import EnergyTable
from designgym.simulators.accelerator.loopnest.mapspace import Genotypes
from designgym.simulators.accelerator.loopnest.problem import DIMS, TENSORS, C, M, P, Q, R, S, bounds
from designgym.simulators.accelerator.network import Network

__all__ = ["OuterMapper"]

_STAYS = {"Weights": (P, Q, C, M, R, S), "Inputs": (M, C, R, S, P, Q), "Outputs": (R, S, C, M, P, Q)}
"""Loop orders, innermost first: those that do not move the tensor are innermost, so that it stays."""


class OuterMapper:
    """Parameters of mappings, by layer of a network, and what designs with them cost.

    For layer ``i`` (from 0, in the order of the network): ``layer_i_across`` and ``layer_i_down``, the dimensions over the longer and the
    shorter side of the array; ``layer_i_element_D`` and ``layer_i_glb_D``, the largest tiles of dimension D; ``layer_i_glb_stays`` and
    ``layer_i_dram_stays``, the tensor that the loops there leave in place. Tiles take prime factors of the layer's sizes from the
    smallest on, as many as there are and fit; what does not fit its buffer moves outwards, the same way every time.

    Args:
        network: Whose layers have parameters.
        table: Energies per access.

    Attributes:
        parameters: By name.
    """

    def __init__(self, network: Network, table: EnergyTable) -> None:
        self._network, self._table = network, table
        self.parameters: dict[str, Parameter] = {}
        for number, (layer, _) in enumerate(network.layers):
            of = f"layer_{number}"
            self.parameters |= {
                f"{of}_across": Categorical(*DIMS, default="C"), f"{of}_down": Categorical(*DIMS, default="M")
            }  # fmt: skip
            for place, default in (("element", 1), ("glb", 4)):
                for dim, bound in zip(DIMS, bounds(layer), strict=True):
                    if bound > 1:
                        most = 1 << (bound - 1).bit_length()
                        self.parameters[f"{of}_{place}_{dim}"] = PowerOfTwo(1, most, default=min(default, most))
                self.parameters[f"{of}_{'glb' if place == 'element' else 'dram'}_stays"] = Categorical(*TENSORS)

    def layers(self, design: Mapping[str, Any], machine: Machine, network: Network) -> list[tuple[Layer, int, Chosen]]:
        """Return each layer, how often it occurs, and what the design's mapping of it costs.

        Raises:
            InputError: If the network has other layers than those that have parameters.
        """
        if network.layers != self._network.layers:
            raise InputError(
                f"designs hold mappings of the layers of {self._network.name!r}, the workload {network.name!r} has others: "
                f"give the simulator network={network.name!r}"
            )
        return [(layer, count, self._cost(design, number, layer, machine)) for number, (layer, count) in enumerate(network.layers)]

    def _cost(self, design: Mapping[str, Any], number: int, layer: Layer, machine: Machine) -> Chosen:
        space = KindMapSpace(layer, machine)
        places = np.array(_places(space, design, f"layer_{number}", machine), dtype=np.int64).reshape(-1, 1)
        orders = [_STAYS["Outputs"], *(_STAYS[design[f"layer_{number}_{where}_stays"]] for where in ("glb", "dram"))]
        across = DIMS.index(design[f"layer_{number}_across"])
        array_order = [across, *(d for d in range(len(DIMS)) if d != across)]
        keep = np.array([[tensor in kept for tensor in TENSORS] for kept in machine.keep])[..., None]
        drawn = Genotypes(
            places, np.array(orders)[..., None], np.array(array_order)[:, None], np.array([1]), keep
        )  # fmt: skip
        batch = space.batch(space.repaired(drawn, Rooms.of([machine]), np.random.default_rng(0)))
        found = traffic(batch, machine)
        energy = found.energy_pj(Prices.of(machine, self._table), layer.macs)
        return Chosen.of(0, found, float(found.cycles(machine)[0]), float(energy[0]))


def _places(space: KindMapSpace, design: Mapping[str, Any], of: str, machine: Machine) -> list[int]:
    """Return where each prime factor of the layer lies."""
    room: dict[tuple[int, str], int] = {(ARRAY, design[f"{of}_down"]): machine.shorter}
    room[ARRAY, design[f"{of}_across"]] = machine.longer
    for where, place in (("element", ELEMENT), ("glb", GLB)):
        room |= {(place, dim): design.get(f"{of}_{where}_{dim}", 1) for dim in DIMS}
    filled: dict[tuple[int, str], int] = {}
    places: list[int] = []
    for number, prime in space.items:
        dim = DIMS[number]
        for place in (ARRAY, ELEMENT, GLB):
            if filled.get((place, dim), 1) * prime <= room.get((place, dim), 1):
                filled[place, dim] = filled.get((place, dim), 1) * prime
                places.append(place)
                break
        else:
            places.append(DRAM)
    return places
