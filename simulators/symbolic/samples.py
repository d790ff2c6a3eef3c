"""Points that a formula is to be found from."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from designgym.core.errors import InputError, UnknownNameError
from designgym.core.workload import Workload
from designgym.simulators.symbolic.canonical import inputs_trait
from designgym.simulators.symbolic.expression import Expression
from designgym.simulators.symbolic.fitting import MOST_STARTS, STARTS
from designgym.simulators.symbolic.formulas import BY_ID, FORMULAS, Formula

Floats = NDArray[np.float64]

VERSION: Final = 1  # raise it with any change of the numbers below
POINTS: Final = 256  # to fit constants on, and as many to judge by
FEWEST_POINTS: Final = 16
PREFIX: Final = "feynman-"

_NAME = re.compile(rf"{PREFIX}([IV]+\.\d+\.\d+[a-z]?)(?:-n(0?\.\d+|\d))?(?:-s(\d{{1,9}}))?")


class Points(NamedTuple):
    """Points of a formula.

    Attributes:
        train: Columns of the inputs to fit on, each of shape ``(points,)``.
        train_y: The formula's values there, noise included, shape ``(points,)``.
        test: Columns of the inputs to judge by, each of shape ``(points,)``.
        test_y: The formula's values there, without noise, shape ``(points,)``.
    """

    train: tuple[Floats, ...]
    train_y: Floats
    test: tuple[Floats, ...]
    test_y: Floats

    def head(self, count: int) -> Points:
        """Return the first points to fit on, and all to judge by."""
        return self._replace(train=tuple(column[:count] for column in self.train), train_y=self.train_y[:count])


@dataclass(frozen=True)
class Samples:
    """A formula and how it is sampled; equal fields mean equal points.

    Attributes:
        formula: What is to be found.
        noise: Standard deviation of the normal noise on the values to fit on, as a share of theirs.
        seed: Of points and noise.
        points: To fit on, and to judge by.
        starts: Most starts of a fit.
    """

    formula: Formula
    noise: float = 0.0
    seed: int = 0
    points: int = POINTS
    starts: int = STARTS

    def __post_init__(self) -> None:
        if not 0 <= self.noise < 10:
            raise InputError(f"noise must be a share from 0 to below 10, got {self.noise}")
        if not FEWEST_POINTS <= self.points <= 1 << 20:
            raise InputError(f"points must be from {FEWEST_POINTS} to {1 << 20}, got {self.points}")
        if not 1 <= self.starts <= MOST_STARTS:
            raise InputError(f"starts must be from 1 to {MOST_STARTS}, got {self.starts}")

    @property
    def digest(self) -> str:
        """Digest of what the points are generated from."""
        return blake3(f"samples {VERSION} {self!r}".encode()).hexdigest(length=16)

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        return len(self.formula.variables)

    def head(self, points: int) -> Samples:
        """Return fewer points and a single start: for tests, not for results."""
        return replace(self, points=max(min(points // 10, self.points), FEWEST_POINTS), starts=1)

    def arrays(self) -> Points:
        """Return the points; do not write into them."""
        return _generate(self)

    def truth(self) -> Expression:
        """Return the formula itself as an expression."""
        return Expression.parse(self.formula.text, self.formula.variables)


@lru_cache(maxsize=64)
def _generate(samples: Samples) -> Points:
    """Draw point by point, so that more points do not change the first ones; those to judge by come from a stream of their own."""
    low, high = np.array(samples.formula.ranges).T
    truth = samples.truth()
    identity = [VERSION, *samples.formula.id.encode(), samples.seed]
    train, test = (np.random.default_rng([*identity, part]).uniform(low, high, (samples.points, len(low))) for part in (0, 1))
    noise = np.random.default_rng([*identity, 2]).standard_normal(samples.points)
    exact = truth(train)
    return Points(_columns(train), exact + samples.noise * np.std(exact) * noise, _columns(test), truth(test))


def _columns(table: Floats) -> tuple[Floats, ...]:
    return tuple(np.ascontiguousarray(column) for column in table.T)


class FormulaWorkloads:
    """Formulas by id: ``feynman-I.12.1``; with ``-n0.1`` noise of a tenth of the values' spread, with ``-s7`` other points, of seed 7."""

    def names(self) -> list[str]:
        """Return the names without noise and with the first seed, the easier formulas first; others can be had too."""
        return [PREFIX + formula.id for formula in FORMULAS]

    def get(self, name: str) -> Workload:
        """Return the points of that formula as a workload; raises `UnknownNameError` if there is none."""
        found = _NAME.fullmatch(name)
        if found is None or found[1] not in BY_ID:
            raise UnknownNameError("workload", name, self.names(), f"(or NAME-nNOISE-sSEED, such as {PREFIX}I.12.1-n0.1-s7)")
        samples = Samples(BY_ID[found[1]], noise=float(found[2] or 0), seed=int(found[3] or 0))
        return Workload(name, samples, frozenset({inputs_trait(samples.inputs)}))
