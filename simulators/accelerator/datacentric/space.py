"""ArchGym's 17 parameters of a two-level mapping (Krishnan et al., ISCA 2023), well-formed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from designgym.core.canonical_form import CanonicalForm
from designgym.core.parameters import Categorical, Integer, Parameter
from designgym.core.rules import Constraint
from designgym.core.space import DesignSpace
from designgym.simulators.accelerator.datacentric.workloads import shape_of, tile_limits
from designgym.simulators.accelerator.network import Network

__all__ = ["MAX_PES", "ORDERS", "PARALLEL", "PARAMETER_NAMES", "TILED", "canonical_mapping", "mapping_space"]

ORDERS = tuple(itertools.permutations("KCRSYX"))
"""The loop orders by number, outermost loop first."""

PARALLEL, TILED, MAX_PES = ("K", "C", "X", "Y"), ("K", "C", "X", "Y"), 1023
_FILTER = ("S", "R")
_LEVELS = ("l2", "l1")  # outer and inner

PARAMETER_NAMES = (
    *(name for level in _LEVELS for name in (f"order_{level}", f"parallel_{level}", *(f"{d}_{level}" for d in (*_FILTER, *TILED)))),
    "num_pe",
)


def mapping_space(data: Network) -> DesignSpace:
    """Return the space for a layer, or for the largest sizes of a network's layers.

    ``l2`` is the outer level, what the clusters work on, and ``l1`` the inner one, what a PE works on. Tiles of X and Y are in outputs.
    A cluster has a PE for each inner tile of ``parallel_l1`` that fits into the outer one; there are as many clusters as the PEs are
    enough for.
    """
    limits = tile_limits(data)
    shapes = [shape_of(layer) for layer, _ in data.layers]
    filters = {"R": max(shape.r for shape in shapes), "S": max(shape.s for shape in shapes)}
    parameters: dict[str, Parameter] = {}
    for level, share in zip(_LEVELS, (4, 16), strict=True):
        parameters[f"order_{level}"] = Integer(0, len(ORDERS) - 1)
        parameters[f"parallel_{level}"] = Categorical(*PARALLEL, default="K" if level == "l2" else "C")
        for d in _FILTER:
            parameters[f"{d}_{level}"] = Integer(filters[d] - 1, filters[d], default=filters[d])
        for d in TILED:
            parameters[f"{d}_{level}"] = Integer(1, limits[d], default=max(limits[d] // share, 1))
    parameters["num_pe"] = Integer(1, MAX_PES, default=256)
    return DesignSpace(
        parameters,
        version="1",
        constraints=_constraints(filters),
        symmetries=[CanonicalForm(canonical_mapping, PARAMETER_NAMES, version="2")],
    )


def _constraints(filters: dict[str, int]) -> list[Constraint]:
    rules = [
        Constraint(
            f"{d}_{level} == {filters[d]}", f"{d}_{level} must be the whole filter, {filters[d]}: its loop cannot be cut (MAESTRO ends)"
        )
        for level in _LEVELS
        for d in _FILTER
    ]
    rules += [Constraint(f"{d}_l1 <= {d}_l2", f"the inner tile {d}_l1 must not be larger than the outer one, {d}_l2") for d in TILED]
    outer, inner = _chosen("l2"), _chosen("l1")
    rules.append(
        Constraint(f"ceil({outer} / {inner}) <= num_pe", "a cluster, one PE per inner tile of parallel_l1, has more PEs than num_pe")
    )
    return rules


def _chosen(level: str) -> str:
    """Return an expression for the tile of the dimension that the inner level spreads."""
    return "(" + " ".join(f"{d}_{level} if parallel_l1 == '{d}' else" for d in PARALLEL[:-1]) + f" {PARALLEL[-1]}_{level})"


def canonical_mapping(values: Sequence[object], traits: frozenset[str]) -> tuple[object, ...]:
    """Return the mapping that stands for all that do the same on a workload, in both accountings.

    - A tile beyond a workload's largest size is that size: each layer's tile is cut to the layer.
    - Loops that never move can be anywhere: those over R and S, and those whose tile is as large as what the level above hands down. They
      become the innermost ones, in a fixed order; the order of the others stays.
    - The same goes for the channels that the PEs of a cluster share, since a cluster has a PE for each tile: unless MAESTRO counts
      channels that are not there (see `_order_matters`).
    - Which dimension is spread makes no difference if one sub-unit gets all of it: it is the first of X, Y, C and K of which that is so.
    """
    design = dict(zip(PARAMETER_NAMES, values, strict=True))
    limits = dict(trait.split("<=") for trait in traits if "<=" in trait)
    tiles, whole = {}, {}
    for d in TILED:
        for level in _LEVELS:
            tile = design[f"{d}_{level}"]
            assert isinstance(tile, int)
            design[f"{d}_{level}"] = tiles[d, level] = min(tile, int(limits[d])) if d in limits else tile
        whole[d, "l2"] = d in limits and tiles[d, "l2"] == int(limits[d])
        whole[d, "l1"] = tiles[d, "l1"] == tiles[d, "l2"]
    for level in _LEVELS:
        number = design[f"order_{level}"]
        assert isinstance(number, int)
        spread = design[f"parallel_{level}"] = _spread({d for d in TILED if whole[d, level]}, level, str(design[f"parallel_{level}"]))
        still = {*_FILTER, *(d for d in TILED if whole[d, level])}
        if level == "l1" and spread in ("K", "C") and not _order_matters(tiles[spread, "l2"], tiles[spread, "l1"], whole[spread, "l2"]):
            still.add(spread)
        order = [d for d in ORDERS[number] if d not in still] + [d for d in "KCRSYX" if d in still]
        design[f"order_{level}"] = _NUMBERS[tuple(order)]
    return tuple(design[name] for name in PARAMETER_NAMES)


def _spread(whole: set[str], level: str, chosen: str) -> str:
    """Return the dimension that stands for a spread one, given those of which a sub-unit gets all.

    In depthwise layers K stands for C, which has to be whole then too. On the inner level MAESTRO counts other operations for C.
    """
    alike: list[str] = [d for d in ("X", "Y", "C") if d in whole and (d != "C" or level == "l2")]
    if {"K", "C"} <= whole:
        alike.append("K")
    return alike[0] if chosen in alike else chosen


def _order_matters(outer: int, inner: int, whole: bool) -> bool:
    """Return whether the place of the loop over channels that are spread in a cluster can have an effect.

    MAESTRO takes the last PE of an outer tile at the layer's edge for one without new channels if inner tiles divide a whole outer tile,
    and for one with a whole tile where the loop is outside of the one that moved.
    """
    return outer % inner == 0 and not whole


_NUMBERS = {order: number for number, order in enumerate(ORDERS)}
