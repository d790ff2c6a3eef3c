"""`check_space`: the laws of a design space."""

from __future__ import annotations

import json
import pickle
from itertools import islice
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.space import DesignSpace
from designgym.core.testing.equivalents import equivalent_designs
from designgym.core.testing.findings import Findings

TOLERANCE = 1e-9  # relative, of a number that went through the encoding
NEIGHBOURS = 50  # looked at per design


def check_space(space: DesignSpace, *, samples: int = 60, seed: int = 0, traits: frozenset[str] = frozenset()) -> None:
    """Check a space's JSON form, draws, moves, encoding, canonical form and Gymnasium form.

    Args:
        space: The space.
        samples: Designs drawn.
        seed: Seed of the draws.
        traits: Workload traits under which canonical forms are checked.

    Raises:
        ConformanceError: Listing everything that is broken.
    """
    found = Findings("design space")
    _check_copies(space, found)
    with found.no_exception("sample"):
        designs = space.sample(np.random.default_rng(seed), samples)
        found.check(designs == space.sample(np.random.default_rng(seed), samples), "equal seeds must give equal samples")
        rng = np.random.default_rng(seed + 1)
        for i, design in enumerate(designs):
            with found.no_exception("checking the laws of a design", design):
                _check_design(space, design, found)
                _check_moves(space, design, designs[i - 1], rng, found)
                _check_canonical(space, design, rng, traits, found)
        _check_encoding(space, designs, rng, found)
    with found.no_exception("to_gym and from_gym"):
        _check_gym(space, seed, found)
    found.finish()


def same_design(a: Any, b: Any) -> bool:
    """Return whether two values of a design are equal, floats up to `TOLERANCE`."""
    if isinstance(a, Design) and isinstance(b, Design):
        return a.keys() == b.keys() and all(same_design(a[name], b[name]) for name in a)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same_design(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1.0)
    return type(a) is type(b) and a == b


def _check_copies(space: DesignSpace, found: Findings) -> None:
    with found.no_exception("the JSON round trip"):
        copy = DesignSpace.from_json(json.loads(json.dumps(space.to_json(), allow_nan=False)))
        found.check(copy == space and hash(copy) == hash(space), "from_json(to_json) must give an equal space", repr(copy))
    with found.no_exception("pickling"):
        found.check(pickle.loads(pickle.dumps(space)) == space, "a pickled space must come back equal")
    found.check(space.size() >= 1, "size() must be at least 1", space.size())


def _check_design(space: DesignSpace, design: Design, found: Findings) -> None:
    found.check(not space.violations(design), "sampled designs must be legal", f"{design!r} {space.violations(design)}")
    found.check(space.validate(design).literal == design.literal, "validate must return a sampled design unchanged", design)
    through_json = space.validate(json.loads(json.dumps(design.to_dict(), allow_nan=False)))
    found.check(through_json == design, "a design must survive JSON", f"{design!r} became {through_json!r}")
    found.check(pickle.loads(pickle.dumps(design)) == design, "a design must survive pickling", design)
    active = space.active(design)
    found.check(active <= space.parameters.keys(), "active parameters must be parameters", active)
    shorter = space.validate({name: value for name, value in design.items() if name in active})
    found.check(
        space.canonical(shorter) == space.canonical(design), "leaving inactive parameters out must give an equivalent design", design
    )


def _check_moves(space: DesignSpace, design: Design, other: Design, rng: np.random.Generator, found: Findings) -> None:
    mutant, child = space.mutate(design, rng), space.crossover(design, other, rng)
    moves = [("mutate", mutant), ("crossover", child)]
    moves += [("neighbours", neighbour) for neighbour in islice(space.neighbours(design), NEIGHBOURS)]
    for move, result in moves:
        found.check(not space.violations(result), f"{move} must give legal designs", f"{design!r} became {result!r}")
        try:
            found.check(space.validate(result).literal == result.literal, f"{move} must give values as validate returns them", result)
        except InputError as error:
            found.check(False, f"{move} must give valid designs", f"{design!r}: {error}")
        found.check(move != "neighbours" or result != design, "neighbours must differ from the design", design)


def _check_canonical(space: DesignSpace, design: Design, rng: np.random.Generator, traits: frozenset[str], found: Findings) -> None:
    canonical = space.canonical(design, traits)
    found.check(space.canonical(canonical, traits) == canonical, "canonical must be idempotent", f"{design!r} gives {canonical!r}")
    found.check(space.validate(canonical) == canonical, "canonical must be a valid design", canonical)
    found.check(not space.violations(canonical), "canonical must keep a legal design legal", f"{design!r} gives {canonical!r}")
    values = dict(design)
    for name in space.parameters.keys() - space.active(design):
        values[name] = space.parameters[name].sample(rng)
    changed = Design(values)
    found.check(
        space.canonical(changed, traits) == canonical, "canonical must not depend on inactive parameters", f"{design!r}, {changed!r}"
    )
    for twin in equivalent_designs(space, design, rng, traits=traits, tries=5):
        found.check(space.canonical(twin, traits) == canonical, "equivalent designs must have one canonical form", f"{design!r}, {twin!r}")


def _check_encoding(space: DesignSpace, designs: list[Design], rng: np.random.Generator, found: Findings) -> None:
    x = space.encode(designs)
    found.check(x.shape == (len(designs), len(space.columns)), "encode must give one row per design", x.shape)
    found.check(bool(((x >= 0) & (x <= 1)).all()), "encodings must be in [0, 1]", x)
    for design, back in zip(designs, space.decode(x), strict=True):
        found.check(same_design(design, back), "decode(encode(design)) must be the design", f"{design!r} became {back!r}")
    corners = np.concatenate([rng.random((len(designs), len(space.columns))), [[0.0] * x.shape[1]], [[1.0] * x.shape[1]]])
    for design in space.decode(corners):
        try:
            space.validate(design)
        except InputError as error:
            found.check(False, "decode must give valid values everywhere in [0, 1]", f"{design!r}: {error}")


def _check_gym(space: DesignSpace, seed: int, found: Findings) -> None:
    actions = space.to_gym()
    actions.seed(seed)
    for _ in range(10):
        design = space.from_gym(actions.sample())
        found.check(space.validate(design) == design, "an action must give a valid design", design)
