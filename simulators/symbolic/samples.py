"""Points that a formula is to be found from."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.metrics import is_number
from designgym.core.workload import Workload
from designgym.simulators.symbolic.canonical import inputs_trait
from designgym.simulators.symbolic.expression import Expression
from designgym.simulators.symbolic.fitting import MOST_STARTS, STARTS
from designgym.simulators.symbolic.formulas import BY_ID, FORMULAS, Formula, Range
from designgym.simulators.symbolic.graph import inputs_of
from designgym.simulators.symbolic.points import FEWEST_POINTS, Points, columns_of
from designgym.simulators.symbolic.tables import SUFFIX, table

Floats = NDArray[np.float64]

VERSION: Final = 1  # raise it with any change of the numbers below
POINTS: Final = 256  # to fit constants on, and as many to judge by
PREFIX: Final = "feynman-"

_NAME = re.compile(rf"{PREFIX}([IV]+\.\d+\.\d+[a-z]?)(?:-n(0?\.\d+|\d))?(?:-s(\d{{1,9}}))?")


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
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return self.formula.variables

    @property
    def ranges(self) -> tuple[Range, ...]:
        """From where to where each input is drawn."""
        return self.formula.ranges

    @property
    def identity(self) -> str:
        """What the probed points are drawn by."""
        return self.formula.id

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

    def workload(self, name: str) -> Workload:
        """Return the points as a workload."""
        return Workload(name, self, frozenset({inputs_trait(self.inputs)}))

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
    return Points(columns_of(train), exact + samples.noise * np.std(exact) * noise, columns_of(test), truth(test))


def formula(text: str, *, noise: float = 0.0, seed: int = 0, points: int = POINTS, name: str = "", **ranges: Range) -> Workload:
    """Return a workload of a formula of one's own: ``formula("k * x**2 / 2", k=(1, 5), x=(-1, 1))``.

    Args:
        text: The formula, as `Expression.parse` reads it.
        noise: Standard deviation of the normal noise on the values to fit on, as a share of theirs.
        seed: Of points and noise.
        points: To fit on, and to judge by.
        name: Name of the workload; the text unless given.
        **ranges: From where to where each input is drawn, uniformly; the names in the formula.

    Raises:
        InputError: If the text is no formula, a range is none, or values are not finite, or all equal, there.
        UnknownNameError: For a name in the text without a range.
    """
    for input, given in ranges.items():
        if not (isinstance(given, tuple | list) and len(given) == 2 and all(map(is_number, given)) and given[0] < given[1]):
            raise InputError(f"range {input}={shorten(given)}: expected two finite numbers, the lower one first, such as {input}=(1, 5)")
    if not ranges:
        raise InputError(f"formula {shorten(text)} needs the range of each of its inputs, such as x=(1, 5)")
    names = tuple(ranges)
    truth = Expression.parse(text, names)
    if idle := [input for i, input in enumerate(names) if i not in inputs_of(truth.graph)]:
        raise InputError(f"formula {shorten(text)} does not read {', '.join(idle)}: leave the range out")
    bounds = tuple((float(low), float(high)) for low, high in ranges.values())
    samples = Samples(Formula(f"own {text}", "", text, names, bounds), noise=noise, seed=seed, points=points)
    found = samples.arrays()
    for values in (found.train_y, found.test_y):
        if not np.isfinite(values).all() or not np.ptp(values) > 0:
            why = "is not finite at all points" if not np.isfinite(values).all() else "has the same value at all points"
            raise InputError(f"formula {shorten(text)} {why} of {', '.join(f'{n}={r}' for n, r in zip(names, bounds, strict=True))}")
    return samples.workload(name or text)


class FormulaWorkloads:
    """Formulas by id: ``feynman-I.12.1``; with ``-n0.1`` noise of a tenth of the values' spread, with ``-s7`` other points, of seed 7.

    The path of a CSV file is a workload too: see `table`.
    """

    def names(self) -> list[str]:
        """Return the names without noise and with the first seed, the easier formulas first; others can be had too."""
        return [PREFIX + formula.id for formula in FORMULAS]

    def get(self, name: str) -> Workload:
        """Return the points of that formula as a workload; raises `UnknownNameError` if there is none."""
        if name.endswith(SUFFIX):
            return table(name)
        found = _NAME.fullmatch(name)
        if found is None or found[1] not in BY_ID:
            raise UnknownNameError(
                "workload", name, self.names(), f"(or NAME-nNOISE-sSEED, such as {PREFIX}I.12.1-n0.1-s7; or a table of yours, FILE{SUFFIX})"
            )
        return Samples(BY_ID[found[1]], noise=float(found[2] or 0), seed=int(found[3] or 0)).workload(name)
