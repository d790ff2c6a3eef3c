"""A plain restatement of Timeloop's rules for one mapping at a time, from which the product's batched model shares nothing.

Tuples of coordinates, dictionaries of multicast factors and Python's integers, element by element over the array: slow, and easy to read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

DIMS = "CMRSPQ"
TENSORS = ("Weights", "Inputs", "Outputs")
Vector = tuple[int, ...]


@dataclass
class ScalarLevel:
    """One storage level with its temporal loops: `order` innermost first."""

    name: str
    factors: Mapping[str, int]
    order: str
    keep: frozenset[str]
    read_bandwidth: float = math.inf
    write_bandwidth: float = math.inf
    block: int = 1
    vector_pj: float = 0.0


@dataclass
class ScalarNest:
    """Levels, innermost first; the array of processing elements lies below level `array`."""

    levels: list[ScalarLevel]
    array: int
    spatial: Mapping[str, int]
    spatial_order: str
    mesh_x: int
    stride: int = 1
    depthwise: bool = False
    mac_pj: float = 1.0

    def loops(self, first: int) -> list[tuple[str, int, int]]:
        """Return dimension, factor and step of the temporal loops of levels >= first, innermost first, without factors of 1."""
        return [loop for level in range(first, len(self.levels)) for loop in self.level_loops(level)]

    def level_loops(self, level: int) -> Iterator[tuple[str, int, int]]:
        for dim in self.levels[level].order:
            if self.levels[level].factors[dim] > 1:
                yield dim, self.levels[level].factors[dim], self.inside(level)[dim]

    def inside(self, level: int, *, with_array: bool = True) -> dict[str, int]:
        """Return the product of factors per dimension of everything below a level's temporal loops."""
        result = {dim: math.prod(lower.factors[dim] for lower in self.levels[:level]) for dim in DIMS}
        if with_array and level >= self.array:
            result = {dim: result[dim] * self.spatial[dim] for dim in DIMS}
        return result

    def project(self, tensor: str, indices: Mapping[str, int]) -> Vector:
        c, m, r, s, p, q = (indices.get(dim, 0) for dim in DIMS)
        if tensor == "Weights":
            return c, m, r, s
        if tensor == "Inputs":
            return c, r + self.stride * p, s + self.stride * q
        return (c if self.depthwise else m), q, p

    def extents(self, tensor: str, tile: Mapping[str, int]) -> Vector:
        return tuple(1 + last for last in self.project(tensor, {dim: size - 1 for dim, size in tile.items()}))

    def size(self, tensor: str, tile: Mapping[str, int]) -> int:
        return math.prod(self.extents(tensor, tile))

    def elements(self) -> Iterator[tuple[int, dict[str, int]]]:
        """Yield the number of each processing element and its spatial indices in units of the problem."""
        loops = [(dim, self.spatial[dim]) for dim in self.spatial_order if self.spatial[dim] > 1]
        step = self.inside(self.array, with_array=False)
        for number in range(math.prod(factor for _, factor in loops)):
            rest, indices = number, {}
            for dim, factor in loops:
                rest, digit = divmod(rest, factor)
                indices[dim] = digit * step[dim]
            yield number, indices


@dataclass
class ScalarCounts:
    """Per level and tensor: scalar accesses per instance; tensors that bypass a level are absent."""

    cycles: int = 0
    macs: int = 0
    instances: list[int] = field(default_factory=list)
    reads: list[dict[str, int]] = field(default_factory=list)
    updates: list[dict[str, int]] = field(default_factory=list)
    fills: list[dict[str, int]] = field(default_factory=list)
    level_pj: list[dict[str, float]] = field(default_factory=list)
    energy_pj: float = 0.0
    links: dict[str, int] = field(default_factory=dict)


def subtract(a: Vector, b: Vector) -> Vector:
    return tuple(x - y for x, y in zip(a, b, strict=True))


def classes(nest: ScalarNest, tensor: str, b: int) -> list[tuple[int, int, Vector | None]]:
    """Return (words, weight, vector or none) of the steps that move words into an instance of level b - 1."""
    extents = nest.extents(tensor, nest.inside(b, with_array=b > nest.array))
    tile = math.prod(extents)
    loops = nest.loops(b)
    steps = [nest.project(tensor, {dim: step}) for dim, _, step in loops]
    factors = [factor for _, factor, _ in loops]
    if not loops:
        return [(tile, 1, None)]
    vectors = []
    before: Vector = (0,) * len(extents)
    for step in steps:
        vectors.append(subtract(step, before))
        before = tuple(x + y for x, y in zip(before, step, strict=True))
    overlap = math.prod(max(0, e - abs(v)) for e, v in zip(extents, vectors[0], strict=True))
    disjoint = overlap == 0
    delta = [tile - overlap if v == vectors[0] else tile for v in vectors]
    result: list[tuple[int, int, Vector | None]] = [(tile, 1, None), (delta[0], factors[0] - 1, vectors[0] if disjoint else None)]
    for j in range(1, len(loops)):
        weight = (factors[j] - 1) * math.prod(factors[j + 1 :])
        alike = disjoint or vectors[j] == vectors[0]
        result.append((delta[j], weight, vectors[j] if alike else None))
        result.append((delta[0], (factors[0] - 1) * weight, vectors[0] if alike else None))
    return result


def spread(nest: ScalarNest, tensor: str, links_on: bool) -> tuple[dict[int, float], int]:
    """Return the accesses of the level above the array by multicast factor, and the words that go over links."""
    tau = {number: nest.project(tensor, indices) for number, indices in nest.elements()}
    place = {number: (number % nest.mesh_x, number // nest.mesh_x) for number in tau}
    at = {xy: number for number, xy in place.items()}

    def groups(of: list[int]) -> Counter[int]:
        return Counter(Counter(tau[number] for number in of).values())

    def linked(f: Vector) -> set[int]:
        found = set()
        for number, (x, y) in place.items():
            for neighbour in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if neighbour in at and subtract(tau[at[neighbour]], tau[number]) == f:
                    found.add(number)
        return found

    plain = groups(list(tau))
    accesses: dict[int, float] = {}
    links = 0
    for words, weight, f in classes(nest, tensor, nest.array):
        if not words or not weight:
            continue
        chosen = plain
        if f is not None and links_on:
            served = linked(f)
            rest = groups([number for number in tau if number not in served])
            if rest.total() < plain.total():
                chosen = rest
                links += len(served) * words * weight
        for size, count in chosen.items():
            accesses[size] = accesses.get(size, 0.0) + float(count * words * weight)
    return dict(sorted(accesses.items())), links


def moved(nest: ScalarNest, tensor: str, b: int) -> int:
    return sum(words * weight for words, weight, _ in classes(nest, tensor, b))


def evaluate(nest: ScalarNest, *, links: bool = True) -> ScalarCounts:
    """Return the counts, cycles and energy of one mapping."""
    n_levels, array = len(nest.levels), nest.array
    n = math.prod(nest.spatial.values())
    c0 = math.prod(level.factors[dim] for level in nest.levels for dim in DIMS)
    result = ScalarCounts(macs=c0 * n, instances=[n if c < array else 1 for c in range(n_levels)])
    result.reads, result.updates, result.fills = ([dict[str, int]() for _ in nest.levels] for _ in range(3))
    result.level_pj = [{} for _ in nest.levels]
    fan = [n if c == array else 1 for c in range(n_levels)]
    for tensor in TENSORS:
        over_links = 0
        accesses: list[dict[int, float]] = [{1: float(c0)}]
        for c in range(1, n_levels):
            if c == array:
                at_array, over_links = spread(nest, tensor, links)
                accesses.append(at_array)
            else:
                accesses.append({1: float(moved(nest, tensor, c))})
        share = [0.0] * n_levels
        for c in range(n_levels - 1):
            for m in sorted(accesses[c + 1]):
                share[c] += accesses[c + 1][m] * m / fan[c + 1]
        keeps = [tensor in level.keep for level in nest.levels]
        for c in range(n_levels - 1):
            if not keeps[c]:
                ratio = sum(accesses[c].values()) * fan[c + 1] / sum(a * m for m, a in accesses[c + 1].items())
                accesses[c + 1] = {m: a * ratio for m, a in accesses[c + 1].items()}
        result.links[tensor] = over_links
        whole = nest.inside(n_levels)
        partition = [0] * n_levels
        partition[-1] = nest.size(tensor, whole)
        for c in reversed(range(n_levels - 1)):
            partition[c] = partition[c + 1]
            if c == array - 1 and n > 1:
                below = nest.size(tensor, nest.inside(array, with_array=False))
                partition[c] = partition[c] * below // nest.size(tensor, nest.inside(array))
        top = max(c for c in range(n_levels) if keeps[c])
        for c in range(n_levels):
            if not keeps[c]:
                continue
            total = sum(accesses[c].values())
            peer = over_links / n if c == array - 1 else 0.0
            if tensor == "Outputs":
                result.updates[c][tensor] = math.floor(total + 0.5)
                result.reads[c][tensor] = math.floor(total + peer - partition[c] + 0.5)
                result.fills[c][tensor] = math.floor(peer if c == top else share[c] + peer - partition[c] + 0.5)
            else:
                result.reads[c][tensor] = math.floor(total + peer + 0.5)
                result.updates[c][tensor] = 0
                result.fills[c][tensor] = math.floor(share[c] + peer)
    result.cycles = c0
    result.energy_pj = result.macs * nest.mac_pj
    for c, level in enumerate(nest.levels):
        reads, updates, fills = result.reads[c], result.updates[c], result.fills[c]
        slow = 1.0
        if read := sum(reads[tensor] / c0 for tensor in TENSORS if tensor in reads):
            slow = min(slow, level.read_bandwidth / read)
        if written := sum((updates[tensor] + fills[tensor]) / c0 for tensor in TENSORS if tensor in reads):
            slow = min(slow, level.write_bandwidth / written)
        result.cycles = max(result.cycles, math.ceil(c0 / slow))
        for tensor in reads:
            vectors = sum(math.ceil(count[tensor] / level.block) for count in (reads, updates, fills))
            result.level_pj[c][tensor] = result.instances[c] * level.vector_pj * vectors
            result.energy_pj += result.level_pj[c][tensor]
    return result
