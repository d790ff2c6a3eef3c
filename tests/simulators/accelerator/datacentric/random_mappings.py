"""Random layers, mappings and hardware that between them use every mechanism of the data-centric model, sound and odd ones."""

from __future__ import annotations

import numpy as np

from designgym.core.errors import InputError
from designgym.simulators.accelerator.datacentric.batch import Hardware
from designgym.simulators.accelerator.datacentric.mapping import Directive, Mapping
from designgym.simulators.accelerator.datacentric.shape import ConvShape
from tests.simulators.accelerator.datacentric.scalar_model import Problem

Case = tuple[Mapping, ConvShape, Hardware]


def random_shape(rng: np.random.Generator, *, depthwise: bool, largest: int = 24) -> ConvShape:
    r, s = (int(rng.choice([1, 2, 3, 5])) for _ in range(2))
    stride_y, stride_x = (int(rng.choice([1, 1, 1, 2, 3, 4])) for _ in range(2))
    y, x = (int(rng.integers(w, max(w + 1, largest))) for w in (r, s))
    k, c = (int(rng.integers(1, largest)) for _ in range(2))
    return ConvShape(k, c, r, s, y, x, stride_y, stride_x, depthwise)


def _directive(rng: np.random.Generator, dim: str, bound: dict[str, int], shape: ConvShape, wild: bool, spatial: bool) -> Directive:
    letter, full = dim[0], dict(zip("KCRSYX", shape.sizes, strict=True))[dim[0]]
    if letter in "RS" and not spatial:
        return Directive(dim, full, full) if not wild or rng.random() < 0.95 else Directive(dim, 1, 1)
    most = bound[letter]
    if dim.endswith("'"):
        most = max(1, most - (shape.r if letter == "Y" else shape.s) + 1)
    size = int(rng.integers(1, most + 1)) if not wild or rng.random() < 0.8 else int(rng.integers(1, 2 * most + 2))
    offset = size if rng.random() < 0.6 else int(rng.integers(1, (size if not wild else 2 * size) + 1))
    if letter in "YX" and not dim.endswith("'") and rng.random() < 0.5:  # windows that slide
        window = shape.r if letter == "Y" else shape.s
        size, offset = max(size, window), max(1, max(size, window) - window + 1)
    return Directive(dim, size, offset, spatial)


def random_case(rng: np.random.Generator, *, depthwise: bool, levels: int, wild: bool = True, largest: int = 24) -> Case:
    """Return a mapping with its layer and hardware; not wild ones keep tiles within what the level above hands down."""
    while True:
        shape = random_shape(rng, depthwise=depthwise, largest=largest)
        bound = dict(zip("KCRSYX", shape.sizes, strict=True))
        lists = []
        for _ in range(levels):
            dims = [d for d in ("CRSYX" if depthwise and (levels > 1 or rng.random() < 0.7) else "KCRSYX")]
            rng.shuffle(dims)
            if rng.random() < 0.4:
                dims = [d for d in dims if d in "RS" or rng.random() < 0.7] or dims
            names = [d + "'" if d in "YX" and {"Y": "R", "X": "S"}[d] in dims and rng.random() < 0.5 else d for d in dims]
            count = 1 if rng.random() < 0.7 or len(names) < 2 else 2
            if wild and rng.random() < 0.02:
                count = int(rng.choice([0, min(3, len(names))]))
            places = set(rng.choice(len(names), size=count, replace=False).tolist())
            level = [_directive(rng, name, bound, shape, wild, i in places) for i, name in enumerate(names)]
            for d in level:
                window = {"Y'": shape.r, "X'": shape.s}.get(d.dimension, 1)
                bound[d.dimension[0]] = max(1, min(bound[d.dimension[0]], d.size + window - 1))
            lists.append(tuple(level))
        clusters = tuple(int(rng.integers(1, 6)) for _ in range(levels - 1))
        needed = int(np.prod(clusters, dtype=int))
        pes = int(rng.integers(1 if wild and rng.random() < 0.05 else needed, 8 * needed + 1))
        hardware = Hardware(
            pes, int(rng.choice([1, 2, 7, 16, 64, 512])), int(rng.choice([1, 3, 10, 100])), int(rng.integers(1, 7)), int(rng.integers(1, 5))
        )
        try:
            return Mapping(tuple(lists), clusters), shape, hardware
        except InputError:
            continue


def as_problem(case: Case) -> Problem:
    """Return the case as the scalar model takes it."""
    mapping, shape, hardware = case
    levels = [[("S" if d.spatial else "T", d.dimension, d.size, d.offset) for d in level] for level in mapping.levels]
    return Problem(
        dict(zip("KCRSYX", shape.sizes, strict=True)), levels, list(mapping.clusters), hardware.pes, shape.depthwise, shape.stride_y,
        shape.stride_x, hardware.noc_bw, hardware.offchip_bw, hardware.hop_latency, hardware.lanes,
    )  # fmt: skip
