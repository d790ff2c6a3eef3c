"""What a formula is found from: points, whatever they come from."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.symbolic.formulas import Range

Floats = NDArray[np.float64]

FEWEST_POINTS: Final = 16


class Points(NamedTuple):
    """Points of a formula.

    Attributes:
        train: Columns of the inputs to fit on, each of shape ``(points,)``.
        train_y: The values there, noise included, shape ``(points,)``.
        test: Columns of the inputs to judge by.
        test_y: The values there; without noise where a formula gives them.
    """

    train: tuple[Floats, ...]
    train_y: Floats
    test: tuple[Floats, ...]
    test_y: Floats

    def head(self, count: int) -> Points:
        """Return the first points to fit on, and all to judge by."""
        return self._replace(train=tuple(column[:count] for column in self.train), train_y=self.train_y[:count])


class Source(Protocol):
    """Where points come from: a formula (`Samples`) or measurements (`Table`)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        ...

    @property
    def ranges(self) -> tuple[Range, ...]:
        """From where to where each input goes."""
        ...

    @property
    def identity(self) -> str:
        """What the probed points are drawn by."""
        ...

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        ...

    @property
    def points(self) -> int:
        """Points to fit on."""
        ...

    @property
    def starts(self) -> int:
        """Most starts of a fit."""
        ...

    def arrays(self) -> Points:
        """Return the points; do not write into them."""
        ...


def columns_of(table: Floats) -> tuple[Floats, ...]:
    """Return the columns of an array of shape ``(n, inputs)``, each in one piece."""
    return tuple(np.ascontiguousarray(column) for column in table.T)
