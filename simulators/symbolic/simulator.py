"""`SymbolicRegression`: expressions fitted to points of a formula, as a simulator of designs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.fingerprint import fingerprint
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.symbolic.canonical import Canonical, canonical_graph
from designgym.simulators.symbolic.fitting import fit_constants
from designgym.simulators.symbolic.formulas import Range
from designgym.simulators.symbolic.graph import Graph, read_graph, values_of
from designgym.simulators.symbolic.operations import CONSTANTS, INPUTS, LITERAL, MOST_CONSTANTS, MOST_INPUTS
from designgym.simulators.symbolic.points import FEWEST_POINTS, Points, Source
from designgym.simulators.symbolic.rendering import render
from designgym.simulators.symbolic.samples import Samples
from designgym.simulators.symbolic.space import NODES, expression_space
from designgym.simulators.symbolic.tables import Table

Floats = NDArray[np.float64]

WORST: Final = 1e3
"""Largest relative error that is told apart from larger ones, and from no number at all."""
NEGLIGIBLE: Final = 1e-8
"""Relative errors below this are rounding of the expression and of its fit, and count as 0; r2 is 1 there in double precision anyway."""

SPREAD_POINTS: Final = 32
CORNER_POINTS: Final = 16
PROBED_POINTS: Final = SPREAD_POINTS + CORNER_POINTS
FEWEST_FINITE: Final = 12
"""An expression of which fewer probed values are finite has shown too little to be taken for another."""
MANTISSA_BITS: Final = 36

_METRICS = (
    metric("accuracy", goal="max", doc="1 / (1 + relative error) on points that nothing was fitted to: 1 is exact, 0.5 is the mean's"),
    metric("r2", goal="max", doc="share of the variance explained there: 1 - (relative error)^2"),
    metric("rmse", goal="min", doc="root mean square error there, in the unit of the formula"),
)
_COMPLEXITY = metric(
    "complexity", goal="min", doc="operations of the canonical form, shared ones counted once; 0 for a bare input or constant"
)


class SymbolicRegression:
    """Expressions whose constants are fitted to points of a formula, `Samples`; judged on other points.

    The relative error is the root mean square error divided by the standard deviation of the values. Where an expression is not finite
    at some point, the relative error is 1000, the largest that is told apart: that is a result as any other, and accuracy 0.001.

    Fidelity is the share of the points to fit on and of the starts. The seed has no effect.

    Args:
        complexity: Whether complexity is a metric. Without, functional keys take expressions of different length for one.
    """

    version = "1"
    deterministic = True
    resources = Resources(cpus=1.0)

    def __init__(self, *, complexity: bool = True) -> None:
        self.space = expression_space()
        self.complexity = complexity
        self.name = "symbolic-regression" if complexity else "symbolic-regression-accuracy"
        self.metrics: tuple[MetricSpec, ...] = (*_METRICS, _COMPLEXITY) if complexity else _METRICS

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Fit every expression, equal ones in the batch once.

        Raises:
            InputError: If the workload is neither a `Samples` nor a `Table`, or the fidelity not in (0, 1].
        """
        samples = _samples(workload)
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the points to fit on, must be in (0, 1], got {shorten(fidelity)}")
        points = samples.arrays().head(max(round(fidelity * samples.points), FEWEST_POINTS))
        starts = max(round(fidelity * samples.starts), 1)
        forms = [_form(design, samples) for design in designs]
        measured = {form.graph: self._measured(form, points, starts) for form in {form.graph: form for form in forms}.values()}
        return [measured[form.graph] for form in forms]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return the digest of each expression's values at 48 points in the formula's ranges, and of its complexity.

        Each point has constants of its own, which are known by their number in the canonical form: so expressions are alike only if they
        are as functions of inputs and constants. Complexity counts by value, if it is a metric. An expression that is hardly ever
        finite is alike only to itself.
        """
        samples = _samples(workload)
        inputs, constants = probed_points(samples.identity, samples.ranges)
        graphs = [_form(design, samples).graph for design in designs]
        shown = [(len(graph.nodes) if self.complexity else 0, _shown(graph, inputs, constants)) for graph in graphs]
        return [fingerprint(each, mantissa_bits=MANTISSA_BITS).key for each in shown]

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the formula: canonical, with the names of the inputs and fitted constants (to all points) where the workload is known."""
        if workload is None:
            graph = canonical_graph(read_graph(design[NODES], MOST_INPUTS)).graph
            text = render(graph, lambda leaf: (*INPUTS, *CONSTANTS, LITERAL)[leaf])
            return f"{text}    [without its data: inputs count modulo those there are, constants are not fitted]"
        samples = _samples(workload)
        form, points = _form(design, samples), samples.arrays()
        fit = fit_constants(form.graph, len(form.sources), points.train, points.train_y, starts=samples.starts)
        shown = [*samples.names, *INPUTS[samples.inputs :], *(f"{value:.6g}" for value in fit.constants)]
        shown += [*CONSTANTS[len(fit.constants) :], LITERAL]
        return render(form.graph, lambda leaf: shown[leaf])

    def _measured(self, form: Canonical, points: Points, starts: int) -> Metrics:
        started = time.perf_counter()
        relative, spread = _judged(form, points, starts)
        values = {"accuracy": 1.0 / (1.0 + relative), "r2": 1.0 - relative * relative, "rmse": relative * spread}
        if self.complexity:
            values["complexity"] = float(len(form.graph.nodes))
        return Metrics(values, cost_s=time.perf_counter() - started)


def _form(design: Design, samples: Source) -> Canonical:
    return canonical_graph(read_graph(design[NODES], samples.inputs))


def _samples(workload: Workload) -> Source:
    if not isinstance(workload.data, Samples | Table):
        raise InputError(
            f"workload {workload.name!r} of symbolic regression holds {type(workload.data).__name__}, expected one made by "
            "table(x, y), table('FILE.csv') or formula('k * x', k=(1, 5), x=(1, 5)) of designgym.simulators.symbolic"
        )
    return workload.data


def _judged(form: Canonical, points: Points, starts: int) -> tuple[float, float]:
    """Return the relative error on points that nothing was fitted to, and the standard deviation of the values there."""
    fit = fit_constants(form.graph, len(form.sources), points.train, points.train_y, starts=starts)
    spread, relative = float(np.std(points.test_y)), WORST
    if fit.error < math.inf:
        with np.errstate(all="ignore"):
            errors = values_of(form.graph, points.test, [np.float64(value) for value in fit.constants])[form.graph.root] - points.test_y
            relative = math.sqrt(float(np.mean(errors * errors))) / spread
        relative = relative if relative < WORST else WORST  # NaN too
    return (0.0 if relative < NEGLIGIBLE else relative), spread


@lru_cache(maxsize=64)
def probed_points(identity: str, ranges: tuple[Range, ...]) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Return a column per input and one per constant, each of shape ``(PROBED_POINTS,)``; magnitudes of constants run from 0.01 to 30.

    Points are spread so that each input visits all parts of its range; the last ones lie near corners, where what is saturated or drowned
    elsewhere shows itself.
    """
    rng = np.random.default_rng([20200420, *identity.encode()])
    inputs = []
    for low, high in ranges:
        spread = (rng.permutation(SPREAD_POINTS) + rng.random(SPREAD_POINTS)) / SPREAD_POINTS
        corner = np.abs(rng.integers(2, size=CORNER_POINTS) - 0.02 * rng.random(CORNER_POINTS))
        inputs.append(low + (high - low) * np.append(spread, corner))
    shape = (MOST_CONSTANTS, PROBED_POINTS)
    constants = np.exp(rng.uniform(math.log(0.01), math.log(30.0), shape)) * rng.choice([-1.0, 1.0], shape)
    return tuple(inputs), tuple(constants)


def _shown(graph: Graph, inputs: Sequence[Floats], constants: Sequence[Floats]) -> object:
    """Return what an expression shows of itself at the probed points."""
    with np.errstate(all="ignore"):
        values = np.broadcast_to(values_of(graph, inputs, constants)[graph.root], (PROBED_POINTS,))
        if np.count_nonzero(np.isfinite(values)) < FEWEST_FINITE:
            return list(graph.nodes), graph.root
        # logarithms, because an array's fingerprint leaves out what is small beside its largest element
        return np.log(np.abs(values)), values < 0
