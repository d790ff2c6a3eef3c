"""`check_simulator`: the contract of a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import cloudpickle
import numpy as np

from designgym.core.design import Design
from designgym.core.measuring import agree
from designgym.core.metrics import Metrics, MetricSpec, Status
from designgym.core.protocols import Simulator
from designgym.core.space import DesignSpace
from designgym.core.testing.equivalents import equivalent_designs
from designgym.core.testing.findings import Findings
from designgym.core.workload import Workload

TOLERANCE = 1e-12  # relative: equivalent designs may add numbers up in another order


def check_simulator(simulator: Simulator, workload: Workload, *, samples: int = 16, twins: int = 3, seed: int = 0) -> None:
    """Check what a simulator declares against what it does on sampled designs.

    Args:
        simulator: The simulator.
        workload: What it is run on; a small one, for each design is evaluated several times.
        samples: Designs drawn.
        twins: Equivalent designs (equal canonical form) compared with each of them.
        seed: Seed of the draws.

    Raises:
        ConformanceError: Listing everything that is broken.
    """
    found = Findings(f"simulator {getattr(simulator, 'name', simulator)!r}")
    if _check_declaration(simulator, found):
        rng = np.random.default_rng(seed)
        designs = simulator.space.sample(rng, samples)
        literals = [design.literal for design in designs]
        results = _evaluate(simulator, designs, workload, found)
        if results is not None:
            _check_results(simulator, designs, results, found)
            _check_purity(simulator, designs, results, workload, found)
            _check_twins(simulator, designs, results, workload, rng, twins, found)
            found.check([Design(dict(d)).literal for d in designs] == literals, "evaluate must leave the designs as they are")
        _check_probe(simulator, designs, workload, rng, twins, found)
        _check_illegal(simulator, workload, rng, found)
    found.finish()


def _check_declaration(simulator: Simulator, found: Findings) -> bool:
    if not found.check(
        isinstance(simulator, Simulator), "must offer name, version, space, metrics, deterministic, resources, evaluate, probe"
    ):
        return False
    found.check(isinstance(simulator.name, str) and simulator.name, "name must be text", repr(simulator.name))
    found.check(isinstance(simulator.version, str) and simulator.version, "version must be text", repr(simulator.version))
    found.check(isinstance(simulator.deterministic, bool), "deterministic must be True or False", repr(simulator.deterministic))
    specs = simulator.metrics
    legal = isinstance(specs, tuple) and bool(specs) and all(isinstance(spec, MetricSpec) for spec in specs)
    legal = legal and len({spec.name for spec in specs}) == len(specs)
    found.check(legal, "metrics must be a tuple of different MetricSpec", repr(specs))
    return found.check(isinstance(simulator.space, DesignSpace), "space must be a DesignSpace", type(simulator.space)) and legal


def _evaluate(simulator: Simulator, designs: Sequence[Design], workload: Workload, found: Findings, seed: int = 0) -> list[Metrics] | None:
    with found.no_exception("evaluate"):
        results = simulator.evaluate(designs, workload, seed=seed)
        if found.check(
            isinstance(results, list) and len(results) == len(designs) and all(isinstance(result, Metrics) for result in results),
            "evaluate must return a list with one Metrics per design",
            repr(results)[:200],
        ):
            return results
    return None


def _check_results(simulator: Simulator, designs: Sequence[Design], results: list[Metrics], found: Findings) -> None:
    for design, result in zip(designs, results, strict=True):
        checked = result.checked(simulator.metrics)
        found.check(checked.status == result.status, "metrics must be the declared ones, all finite", f"{checked.error} for {design!r}")
        found.check(result.ok or not result.values, "a result that is not ok must have no values", result)
        found.check(result.status != "infeasible" or result.reasons, "an infeasible result must state its reasons", design)
        found.check(result.status not in ("failed", "timeout") or result.error, "a failure must state its error", design)
        found.check(result.cost_s >= 0, "cost_s must not be negative", result.cost_s)
    if not any(result.ok for result in results):
        found.check(False, "at least one sampled design must succeed", f"the first one: {results[0].error or results[0].reasons}")


def _check_purity(simulator: Simulator, designs: Sequence[Design], results: list[Metrics], workload: Workload, found: Findings) -> None:
    again = _evaluate(simulator, designs, workload, found)
    found.check(again == results, "the same call must give the same results", _difference(designs, results, again))
    backwards = _evaluate(simulator, designs[::-1], workload, found)
    found.check(
        backwards is not None and backwards[::-1] == results,
        "results must be in the order of the designs and not depend on it",
        _difference(designs, results, (backwards or [])[::-1]),
    )
    alone = [result for design in designs for result in _evaluate(simulator, [design], workload, found) or []]
    found.check(alone == results, "a batch must give what the designs give one by one", _difference(designs, results, alone))
    found.check(_evaluate(simulator, [], workload, found) == [], "an empty batch must give an empty list")
    if simulator.deterministic:
        other = _evaluate(simulator, designs, workload, found, seed=12345)
        found.check(other == results, "declared deterministic, but the seed has an effect", _difference(designs, results, other))
    with found.no_exception("cloudpickle (workers receive simulators that way)"):
        copy = cloudpickle.loads(cloudpickle.dumps(simulator))
        there = _evaluate(copy, designs, workload, found)
        found.check(there == results, "a pickled copy must give the same results", _difference(designs, results, there))


def _check_twins(
    simulator: Simulator, designs: Sequence[Design], results: list[Metrics], workload: Workload, rng: np.random.Generator, twins: int,
    found: Findings,
) -> None:  # fmt: skip
    for design, result in zip(designs, results, strict=True):
        if not result.ok or not (others := _twins(simulator.space, design, workload, rng, twins)):
            continue
        for twin, other in zip(others, _evaluate(simulator, others, workload, found) or [], strict=False):
            # noise may follow the design as written; only a deterministic simulator promises equal numbers
            same = agree(result, other, TOLERANCE) if simulator.deterministic else result.status == other.status
            found.check(same, "equal canonical forms must give equal metrics", f"{design!r} {result.values}, {twin!r} {other.values}")


def _check_probe(
    simulator: Simulator, designs: Sequence[Design], workload: Workload, rng: np.random.Generator, twins: int, found: Findings
) -> None:
    with found.no_exception("probe"):
        responses = simulator.probe(designs, workload)
        if responses is None:
            return
        legal = isinstance(responses, list) and len(responses) == len(designs) and all(isinstance(r, bytes) for r in responses)
        if not found.check(legal, "probe must return None or a list with one bytes object per design", repr(responses)[:200]):
            return
        found.check(simulator.probe(designs, workload) == responses, "probe must be deterministic")
        alone = [response for design in designs for response in simulator.probe([design], workload) or []]
        found.check(alone == responses, "a batch must be probed as its designs are one by one")
        for design, response in zip(designs, responses, strict=True):
            if others := _twins(simulator.space, design, workload, rng, twins):
                same = all(other == response for other in simulator.probe(others, workload) or [])
                found.check(same, "equal canonical forms must give equal probe responses", f"{design!r}, {others!r}")


def _check_illegal(simulator: Simulator, workload: Workload, rng: np.random.Generator, found: Findings) -> None:
    candidates = simulator.space.decode(rng.random((200, len(simulator.space.columns))))
    illegal = [design for design in candidates if simulator.space.violations(design)][:5]
    if illegal and (results := _evaluate(simulator, illegal, workload, found)) is not None:
        for result in results:
            found.check(result.status in get_args(Status), "an illegal design must give a status", result)


def _twins(space: DesignSpace, design: Design, workload: Workload, rng: np.random.Generator, count: int) -> list[Design]:
    twins = equivalent_designs(space, design, rng, traits=workload.traits, tries=10 * count)
    return [twin for twin, _ in zip(twins, range(count), strict=False)]


def _difference(designs: Sequence[Design], first: list[Metrics], second: list[Metrics] | None) -> str:
    for design, a, b in zip(designs, first, second or [], strict=False):
        if a != b:
            return f"{design!r} gave {a.values or a.status} and then {b.values or b.status}"
    return "another number of results"
