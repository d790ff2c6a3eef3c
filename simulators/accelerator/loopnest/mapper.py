"""`Mapper`: a good mapping of a layer on an architecture, by an evolution that the batched model evaluates."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from designgym.core.errors import InputError, shorten
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch
from designgym.simulators.accelerator.loopnest.costs import Costs, evaluate
from designgym.simulators.accelerator.loopnest.energy import EnergyTable, TimeloopEnergies
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping
from designgym.simulators.accelerator.loopnest.mapspace import Genotypes, MapSpace
from designgym.simulators.accelerator.loopnest.problem import bounds
from designgym.simulators.accelerator.loopnest.variation import children

__all__ = ["Goal", "MappedLayer", "Mapper"]

Goal = Literal["latency", "energy", "edp"]

PARENTS = 32
CHILDREN = 128
CACHED = 100_000  # mapped layers, about a kilobyte each


@dataclass(frozen=True)
class MappedLayer:
    """The best mapping that was found.

    Attributes:
        mapping: The mapping.
        cycles: Of the layer.
        energy_pj: Of the layer.
        utilisation: Share of the multiply-accumulates that the array could do in these cycles.
        evaluations: Mappings that were evaluated to find it.
        history: After each generation, the evaluations so far and the best value of the goal (cycles, pJ, or cycles times pJ).
    """

    mapping: LoopMapping
    cycles: float
    energy_pj: float
    utilisation: float
    evaluations: int
    history: tuple[tuple[int, float], ...] = ()


class Mapper:
    """Finds mappings, and remembers them by all that the search depends on: different hardware can pose the same problem.

    The same seed gives the same mapping in any process. Ties in cycles go to less energy and the other way round.

    Args:
        goal: What is made small: ``latency``, ``energy``, or ``edp``, their product.
        evaluations: Mappings to evaluate per layer; the last generation may exceed it.
        seed: Of all random choices.
        keep: Which tensors each level keeps, if that is not part of the search.
        energies: Energies per access; Timeloop's built-in table by default.

    Raises:
        InputError: For an unknown goal or evaluations that are not positive.
    """

    def __init__(
        self, goal: Goal = "edp", *, evaluations: int = 2000, seed: int = 0, keep: tuple[frozenset[str], ...] | None = None,
        energies: EnergyTable | None = None,
    ) -> None:  # fmt: skip
        if goal not in get_args(Goal):
            raise InputError(f"goal of a mapper must be one of {', '.join(get_args(Goal))}, got {shorten(goal)}")
        if not isinstance(evaluations, int) or isinstance(evaluations, bool) or evaluations < 1:
            raise InputError(f"evaluations of a mapper must be a positive whole number, got {shorten(evaluations)}")
        self.goal, self.evaluations, self.seed, self.keep = goal, evaluations, seed, keep
        self.energies = TimeloopEnergies() if energies is None else energies
        self.hits = 0
        self._found: OrderedDict[bytes, MappedLayer] = OrderedDict()

    def map(self, layer: Layer, architecture: Architecture, evaluations: int | None = None) -> MappedLayer:
        """Return a good mapping of the layer.

        Args:
            layer: What is mapped.
            architecture: What it is mapped on.
            evaluations: Mappings to evaluate, if not as many as usual.

        Raises:
            UnmappableError: If no mapping fits.
        """
        hardware = HardwareBatch.of(architecture, self.energies)
        budget = self.evaluations if evaluations is None else evaluations
        key = self._key(layer, hardware, budget)
        if key in self._found:
            self.hits += 1
            self._found.move_to_end(key)
            found = self._found[key]
        else:
            found = self._found[key] = self._search(MapSpace(layer, architecture, self.keep), hardware, budget)
            if len(self._found) > CACHED:
                self._found.popitem(last=False)
        return found

    def _key(self, layer: Layer, hardware: HardwareBatch, evaluations: int) -> bytes:
        """Return what the search's result depends on; names do not matter, nor room that the whole layer does not fill."""
        most = np.array([max(layer.weight_words + layer.input_words + layer.output_words, 1)], dtype=np.float64)
        hasher = blake3(repr((bounds(layer), layer.stride, layer.depthwise, hardware.array, evaluations)).encode())
        for array in (
            np.minimum(hardware.words, most), hardware.block, hardware.read_bandwidth, hardware.write_bandwidth, hardware.access_pj,
            hardware.mac_pj, hardware.mesh_x, hardware.pes,
        ):  # fmt: skip
            hasher.update(np.ascontiguousarray(array).tobytes())
        return hasher.digest()

    def _search(self, space: MapSpace, hardware: HardwareBatch, budget: int) -> MappedLayer:
        rng = np.random.default_rng([self.seed, *bounds(space.layer), space.layer.stride])
        parents = space.sample(rng, min(CHILDREN, budget))
        scores, costs = self._scored(space, parents, hardware)
        evaluations, history = len(parents), list[tuple[int, float]]()
        while True:
            best = _best(scores, PARENTS)
            parents, scores, costs = parents[best], scores[:, best], costs[:, best]
            history.append((evaluations, float(scores[0, 0])))
            if evaluations >= budget:
                break
            young = space.repaired(children(space, parents, rng, CHILDREN), rng)
            young_scores, young_costs = self._scored(space, young, hardware)
            evaluations += len(young)
            parents = parents.joined(young)
            scores, costs = np.concatenate([scores, young_scores], axis=1), np.concatenate([costs, young_costs], axis=1)
        cycles, energy_pj, utilisation = (float(value) for value in costs[:, 0])
        return MappedLayer(space.batch(parents[:1]).mapping(0), cycles, energy_pj, utilisation, evaluations, tuple(history))

    def _scored(self, space: MapSpace, genotypes: Genotypes, hardware: HardwareBatch) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the goal and what decides ties, ``(2, B)``, and cycles, energy and utilisation, ``(3, B)``."""
        found: Costs = evaluate(space.batch(genotypes), hardware)
        match self.goal:
            case "latency":
                scores = (found.cycles, found.energy_pj)
            case "energy":
                scores = (found.energy_pj, found.cycles)
            case _:
                scores = (found.energy_pj * found.cycles, found.energy_pj)
        return np.stack(scores), np.stack([found.cycles, found.energy_pj, found.utilisation])


def _best(scores: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Return the numbers of the ``n`` best, of equal ones only the first: mappings that cost the same mostly are the same."""
    order = np.lexsort((scores[1], scores[0]))
    ordered = scores[:, order]
    new = np.concatenate([[True], np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)])
    return order[new][:n]
