"""Constants fitted by least squares: Levenberg and Marquardt's method (MINPACK) with exact derivatives, from several fixed starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import leastsq

from designgym.simulators.symbolic.graph import Graph, gradients_of, values_of
from designgym.simulators.symbolic.operations import FIRST_CONSTANT, MOST_CONSTANTS

Floats = NDArray[np.float64]

MOST_STARTS: Final = 8
STARTS: Final = 4
MOST_CALLS: Final = 80  # of the expression per start; typical fits take 5 to 20
TOLERANCE: Final = 1e-13  # relative, of the sum of squares and of the constants, at which a start ends
SAME_OPTIMUM: Final = 1e-6  # relative difference of two starts' root mean squares: no more starts are tried
EXACT: Final = 1e-10  # root mean square error, relative to the spread of the target, that ends the search
MOST_POLISHING: Final = 6  # steps after the best start
POLISHING: Final = 1e-13  # relative change of the constants that ends them, and rise of the error that is rounding
RANK: Final = 1e-8  # constants that matter less than this beside others, as c0 does beside c1 in c0 * c1, stay where they are
_HUGE: Final = 1e60  # stands for errors that are no number or beyond it, so that steps to there are taken back


def _starts() -> Floats:
    """Return where fits begin, shape ``(MOST_STARTS, MOST_CONSTANTS)``: ones first, then magnitudes from 0.1 to 10 of either sign."""
    rng = np.random.default_rng(20200420)
    shape = (MOST_STARTS, MOST_CONSTANTS)
    drawn = np.exp(rng.uniform(math.log(0.1), math.log(10.0), shape)) * rng.choice([-1.0, 1.0], shape)
    drawn[0] = 1.0
    return drawn


_STARTS: Final = _starts()


class Fit(NamedTuple):
    """What came of a fit.

    Attributes:
        constants: Their values, in the order of the canonical form.
        error: Root mean square error, relative to the standard deviation of the target; infinite if nothing finite was found.
    """

    constants: tuple[float, ...]
    error: float


def fit_constants(graph: Graph, count: int, inputs: Sequence[Floats], target: Floats, *, starts: int = STARTS) -> Fit:
    """Return the best constants of an expression.

    Equal arguments give equal results: starts belong to constants by their number in the canonical form. The first two starts that
    agree end the search.

    Args:
        graph: The expression in canonical form.
        count: How many constants it has.
        inputs: A column, shape ``(n,)``, for each input.
        target: What the values should be, shape ``(n,)``, not all equal.
        starts: How many starts to try at most, up to `MOST_STARTS`.
    """
    problem = _Problem(graph, count, inputs, target)
    if not count:
        return Fit((), problem.error(np.zeros(0)))
    best = Fit(tuple(_STARTS[0, :count].tolist()), math.inf)
    for start in _STARTS[:starts, :count]:
        if not problem.error(start) < math.inf:
            continue
        found = problem.descend(start)
        same = abs(found.error - best.error) <= SAME_OPTIMUM * best.error if best.error < math.inf else False
        if found.error < best.error:
            best = found
        if same or best.error < EXACT:
            break
    return problem.polished(best) if EXACT <= best.error < math.inf else best


class _Problem:
    """The error of an expression as a function of its constants, an array of shape ``(count,)``."""

    def __init__(self, graph: Graph, count: int, inputs: Sequence[Floats], target: Floats) -> None:
        self._graph, self._inputs, self._target = graph, inputs, target
        self._references = range(FIRST_CONSTANT, FIRST_CONSTANT + count)
        self._scale = 1.0 / float(np.std(target))
        self._at: Any = None
        self._values: list[Any] = []

    def descend(self, start: Floats) -> Fit:
        """Return the local optimum from a start at which the error is finite."""
        with np.errstate(all="ignore"):
            found, *_ = leastsq(
                self._residuals, start, Dfun=self._jacobian, full_output=True, col_deriv=True,
                ftol=TOLERANCE, xtol=TOLERANCE, gtol=0.0, maxfev=MOST_CALLS,
            )  # fmt: skip
        return Fit(tuple(found.tolist()), self.error(found))

    def polished(self, fit: Fit) -> Fit:
        """Return the fit after a few steps of Gauss and Newton.

        The sum of squares is flat at its optimum: where it can fall no further in double precision, half of the constants' digits are
        still open, and with them the error on other points. Steps solve for where the slope is zero, which has all digits.
        """
        best = fit
        for _ in range(MOST_POLISHING):
            constants = np.array(best.constants)
            with np.errstate(all="ignore"):
                slopes, residuals = self._jacobian(constants), self._residuals(constants)
            scales = np.linalg.norm(slopes, axis=1)
            scales[scales == 0] = 1.0
            if not np.isfinite(scales).all():
                break
            step = np.linalg.lstsq((slopes / scales[:, None]).T, -residuals, rcond=RANK)[0] / scales
            error = self.error(constants + step)
            if not error <= best.error * (1 + POLISHING):
                break
            best = Fit(tuple((constants + step).tolist()), error)
            if (np.abs(step) <= POLISHING * np.abs(constants)).all():
                break
        return best

    def error(self, constants: Floats) -> float:
        """Return the root mean square, relative to the spread of the target; infinite if a value is not finite."""
        with np.errstate(all="ignore"):
            residuals = (self._evaluate(constants)[self._graph.root] - self._target) * self._scale
            error = math.sqrt(float(np.mean(residuals * residuals)))
        return error if math.isfinite(error) else math.inf

    def _evaluate(self, constants: Floats) -> list[Any]:
        if self._at is None or not np.array_equal(self._at, constants):
            self._at = constants.copy()
            self._values = values_of(self._graph, self._inputs, list(constants))
        return self._values

    def _residuals(self, constants: Floats) -> Floats:
        residuals = (self._evaluate(constants)[self._graph.root] - self._target) * self._scale
        bounded = np.abs(residuals) < _HUGE  # false for NaN
        return residuals if bounded.all() else np.where(bounded, residuals, _HUGE)

    def _jacobian(self, constants: Floats) -> Floats:
        slopes = gradients_of(self._graph, self._evaluate(constants), self._references) * self._scale
        usable = np.where(np.abs(slopes) < _HUGE, slopes, 0.0)
        return np.array(np.broadcast_to(usable, (len(self._references), len(self._target))))
