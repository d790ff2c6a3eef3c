"""`check_simulator`: the contract of a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, get_args

import cloudpickle
import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.measuring import agree
from designgym.core.metrics import Metrics, MetricSpec, Status
from designgym.core.protocols import Resources, Simulator
from designgym.core.space import DesignSpace
from designgym.core.testing.equivalents import equivalent_designs
from designgym.core.testing.findings import Findings
from designgym.core.workload import Workload, content_digest

TOLERANCE = 1e-12  # relative: equivalent designs may add numbers up in another order
LOW_FIDELITY, FIDELITY_SAMPLES = 0.5, 3
MORE_SAMPLES = 64  # drawn where none of the first ones succeeds

Trials = list[tuple[Design, Metrics]]


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
    inspect_simulator(simulator, workload, found, samples=samples, twins=twins, seed=seed)
    found.finish()


def inspect_simulator(simulator: Simulator, workload: Workload, found: Findings, *, samples: int, twins: int, seed: int) -> Trials:
    """Note what `check_simulator` reports, and return the designs evaluated with their results; none if they cannot be used."""
    if not _check_declaration(simulator, found):
        return []
    trial = _OnTrial(simulator, workload, found)
    rng, designs = np.random.default_rng(seed), list[Design]()
    with found.no_exception("sampling the space"):
        designs = list(dict.fromkeys(simulator.space.sample(rng, samples)))
    if not designs:
        return []
    literals, content = [design.literal for design in designs], _content(workload)
    results = trial.evaluate(designs)
    if results is None:
        return []
    found.check([Design(dict(d)).literal for d in designs] == literals, "evaluate must leave the designs as they are")
    untouched = found.check(_content(workload) == content, "evaluate must leave the workload as it is", f"the data of {workload.name!r}")
    if not trial.well_formed(designs, results):
        return []  # everything else compares such results
    # a workload that changes would be found again in every comparison
    if untouched and _check_purity(trial, designs, results):
        _check_fidelity(trial, designs)
        _check_twins(trial, designs, results, rng, twins)
    _check_success(trial, designs, results, rng)
    _check_probe(trial, designs, rng, twins)
    _check_illegal(trial, rng)
    found.check(not untouched or _content(workload) == content, "probe and evaluate must leave the workload as it is", workload.name)
    return list(zip(designs, results, strict=True))


def _check_declaration(simulator: Simulator, found: Findings) -> bool:
    if not found.check(
        isinstance(simulator, Simulator), "must offer name, version, space, metrics, deterministic, resources, evaluate, probe"
    ):
        return False
    found.check(isinstance(simulator.name, str) and simulator.name, "name must be text", repr(simulator.name))
    found.check(isinstance(simulator.version, str) and simulator.version, "version must be text", repr(simulator.version))
    found.check(isinstance(simulator.deterministic, bool), "deterministic must be True or False", repr(simulator.deterministic))
    found.check(isinstance(simulator.resources, Resources), "resources must be Resources(...)", repr(simulator.resources))
    specs = simulator.metrics
    legal = isinstance(specs, tuple) and bool(specs) and all(isinstance(spec, MetricSpec) for spec in specs)
    legal = legal and len({spec.name for spec in specs}) == len(specs)
    found.check(legal, "metrics must be a tuple of different MetricSpec", repr(specs))
    return found.check(isinstance(simulator.space, DesignSpace), "space must be a DesignSpace", type(simulator.space)) and legal


class _OnTrial:
    """One simulator on one workload, called as the evaluator calls it."""

    def __init__(self, simulator: Simulator, workload: Workload, found: Findings) -> None:
        self.simulator, self.workload, self.found = simulator, workload, found

    def evaluate(
        self,
        designs: Sequence[Design],
        seed: int = 0,
        *,
        doing: str = "evaluate",
        law: str = "evaluate must return a list with one Metrics per design",
    ) -> list[Metrics] | None:
        """Return the results at full fidelity, or None, with a finding, if they are no list of one `Metrics` per design."""
        with self.found.no_exception(doing), self.found.global_random_kept("evaluate"):
            return self._one_each(designs, self.simulator.evaluate(designs, self.workload, fidelity=1.0, seed=seed), law)
        return None

    def evaluate_part(self, designs: Sequence[Design], fidelity: float) -> list[Metrics] | None:
        """Return the results at a lower fidelity; None if the simulator has none, or with a finding."""
        with self.found.no_exception(f"evaluate with fidelity {fidelity}"):
            try:
                results = self.simulator.evaluate(designs, self.workload, fidelity=fidelity, seed=0)
            except InputError:
                return None  # a refusal, which says so
            return self._one_each(designs, results, "evaluate must return a list with one Metrics per design at any fidelity")
        return None

    def well_formed(self, designs: Sequence[Design], results: list[Metrics]) -> bool:
        """Note what is wrong with results taken by themselves."""
        return all([self._well_formed(design, result) for design, result in zip(designs, results, strict=True)])

    def _well_formed(self, design: Design, result: Metrics) -> bool:
        found, checked = self.found, result.checked(self.simulator.metrics)
        return all(
            [
                found.check(result.status in get_args(Status), f"status must be one of {', '.join(get_args(Status))}", repr(result.status)),
                found.check(
                    checked.status == result.status, "metrics must be the declared ones, all finite", f"{checked.error} for {design!r}"
                ),
                found.check(result.ok or not result.values, "a result that is not ok must have no values", result),
                found.check(
                    not result.ok or not (result.reasons or result.error), "an ok result must have no reasons and no error", result
                ),
                found.check(result.status != "infeasible" or result.reasons, "an infeasible result must state its reasons", design),
                found.check(result.status not in ("failed", "timeout") or result.error, "a failure must state its error", design),
                found.check(result.cost_s >= 0, "cost_s must not be negative", result.cost_s),
            ]
        )

    def _one_each(self, designs: Sequence[Design], results: object, law: str) -> list[Metrics] | None:
        right = isinstance(results, list) and len(results) == len(designs) and all(isinstance(result, Metrics) for result in results)
        return cast("list[Metrics]", results) if self.found.check(right, law, shorten(results, 200)) else None


def _check_purity(trial: _OnTrial, designs: Sequence[Design], results: list[Metrics]) -> bool:
    """Compare calls that must give the same; stops at the first difference, of which later ones would be consequences."""
    found, evaluate = trial.found, trial.evaluate

    def same(law: str, again: list[Metrics] | None) -> bool:
        return again is not None and found.check(again == results, law, _difference(designs, results, again))

    backwards = "results must be in the order of the designs and not depend on it"
    if not same("the same call must give the same results", evaluate(designs)) or not same(
        backwards, (evaluate(designs[::-1]) or [])[::-1]
    ):
        return False
    alone = [evaluate([design]) for design in designs]
    if not same("a batch must give what the designs give one by one", [result for some in alone for result in some or []]):
        return False
    twice = evaluate([*designs, Design(dict(designs[0]))], law="a batch with equal designs must give a result for each of them")
    if twice is None or not found.check(twice == [*results, results[0]], "equal designs of a batch must get equal results", designs[0]):
        return False
    found.check(evaluate([]) == [], "an empty batch must give an empty list")
    pure = not trial.simulator.deterministic or same("declared deterministic, but the seed has an effect", evaluate(designs, 12345))
    with found.no_exception("cloudpickle (workers receive simulators that way)"):
        copy = _OnTrial(cloudpickle.loads(cloudpickle.dumps(trial.simulator)), trial.workload, found)
        pure = same("a pickled copy must give the same results", copy.evaluate(designs)) and pure
    return pure


def _check_fidelity(trial: _OnTrial, designs: Sequence[Design]) -> None:
    some = designs[:FIDELITY_SAMPLES]
    if (results := trial.evaluate_part(some, LOW_FIDELITY)) is not None:
        trial.well_formed(some, results)


def _check_success(trial: _OnTrial, designs: Sequence[Design], results: list[Metrics], rng: np.random.Generator) -> None:
    """Require a success, among more designs if need be: where few are feasible, a small sample proves nothing."""
    if not any(result.ok for result in results):
        more = trial.evaluate(trial.simulator.space.sample(rng, MORE_SAMPLES)) or []
        holds = any(result.ok for result in more)
        law = f"at least one of {len(designs) + len(more)} sampled designs must succeed"
        trial.found.check(holds, law, f"the first one is {results[0].status}: {results[0].error or '; '.join(results[0].reasons)}")


def _check_twins(trial: _OnTrial, designs: Sequence[Design], results: list[Metrics], rng: np.random.Generator, count: int) -> None:
    simulator, found = trial.simulator, trial.found
    for design, result in zip(designs, results, strict=True):
        if not result.ok or not (others := _twins(trial, design, rng, count)):
            continue
        for twin, other in zip(others, trial.evaluate(others) or [], strict=False):
            if not trial.well_formed([twin], [other]):
                continue
            # noise may follow the design as written; only a deterministic simulator promises equal numbers
            same = agree(result, other, TOLERANCE) if simulator.deterministic else result.status == other.status
            found.check(same, "equal canonical forms must give equal metrics", f"{design!r} {result.values}, {twin!r} {other.values}")


def _check_probe(trial: _OnTrial, designs: Sequence[Design], rng: np.random.Generator, count: int) -> None:
    found = trial.found

    def probe(some: Sequence[Design]) -> list[bytes] | None:
        return trial.simulator.probe(some, trial.workload, seed=0)

    with found.no_exception("probe"), found.global_random_kept("probe"):
        responses = probe(designs)
        if responses is None:
            return
        legal = isinstance(responses, list) and len(responses) == len(designs) and all(isinstance(r, bytes) for r in responses)
        if not found.check(legal, "probe must return None or a list with one bytes object per design", repr(responses)[:200]):
            return
        if not found.check(probe(designs) == responses, "probe must be deterministic"):
            return
        alone = [response for design in designs for response in probe([design]) or []]
        if not found.check(alone == responses, "a batch must be probed as its designs are one by one"):
            return
        for design, response in zip(designs, responses, strict=True):
            if others := _twins(trial, design, rng, count):
                same = all(other == response for other in probe(others) or [])
                found.check(same, "equal canonical forms must give equal probe responses", f"{design!r}, {others!r}")


def _check_illegal(trial: _OnTrial, rng: np.random.Generator) -> None:
    space, illegal = trial.simulator.space, list[Design]()
    with trial.found.no_exception("the space's rules"):
        candidates = space.decode(rng.random((200, len(space.columns))))
        illegal = list(dict.fromkeys(design for design in candidates if space.violations(design)))[:5]
    if illegal and (results := trial.evaluate(illegal, doing="evaluate of illegal designs")) is not None:
        for result in results:
            trial.found.check(result.status in get_args(Status), "an illegal design must give a status", result)


def _content(workload: Workload) -> str:
    """Return a digest of what the workload holds now; empty where it cannot be read."""
    try:
        return content_digest(workload.data)
    except InputError:
        return ""


def _twins(trial: _OnTrial, design: Design, rng: np.random.Generator, count: int) -> list[Design]:
    with trial.found.no_exception("canonical forms of the space"):
        twins = equivalent_designs(trial.simulator.space, design, rng, traits=trial.workload.traits, tries=10 * count)
        return [twin for twin, _ in zip(twins, range(count), strict=False)]
    return []


def _difference(designs: Sequence[Design], first: list[Metrics], second: list[Metrics] | None) -> str:
    for design, a, b in zip(designs, first, second or [], strict=False):
        if a != b:
            return f"{design!r} gave {a.values or a.status} and then {b.values or b.status}"
    return "another number of results"
