"""`find_equivalences`: which designs a simulator does not tell apart, found by measuring; suggests rules, adopts none.

In three steps. *Screening*: random designs, each varied in one parameter at a time (and with parameters swapped, groups reordered,
values clamped, sums kept), show where metrics never differed. *Confirmation*: what survived is tried on fresh designs, which the
screening did not choose; their number gives the confidence. *Adoption on trial*: what is left is declared together, as somebody would
who pastes it. A hypothesis is screened out unless chance is an unlikely explanation for seeing no difference: as unlikely as 5 % divided
by the number of hypotheses (Bonferroni), given how often the parameter makes one elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.groups import Repeated
from designgym.core.protocols import Simulator
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import upper_bound
from designgym.hashing.symmetry_adoption import differing, fits, script
from designgym.hashing.symmetry_evidence import BudgetSpentError, Evidence, Scope, compare
from designgym.hashing.symmetry_groups import InsideGroup
from designgym.hashing.symmetry_hypotheses import Hypotheses, Hypothesis
from designgym.hashing.symmetry_screening import FEWEST, Screening

# Fresh designs without a difference, round after round: most of what is wrong is found out in the first. After all 59, at most 5 % of
# designs have a difference, with 95 % confidence; where the budget ends earlier, the bound is higher.
CONFIRMATIONS = (9, 10, 20, 20)
VARYING_SHARE, SCREENING_SHARE = 0.5, 0.75  # of the budget: for varying one parameter at a time, and for that and the other hypotheses
DRAWS = 30  # tries per confirming design for which a rule has something to say
MEASUREMENTS = 4  # of each design by a noisy simulator


@dataclass(frozen=True)
class Finding:
    """An equivalence that no measurement contradicted.

    Attributes:
        kind: ``no effect``, ``equal values``, ``clamp``, ``interchangeable``, ``unordered`` or ``combination``.
        words: What was found.
        rule: Python that would declare it, mostly one line; empty if nothing can, or nothing that goes together with the rules before.
        note: What is to be known about the rule.
        group: The group inside of whose elements it was found, and in whose space the rule belongs; empty for the space itself.
        designs: Fresh designs on which both members of a pair were measured: no metric differed on any.
        upper_95: Upper bound of the share of designs on which the rule is wrong, with 95 % confidence (Clopper-Pearson, one-sided).
        declared: Whether the space declares it already.
    """

    kind: str
    words: str
    rule: str
    note: str
    group: str
    designs: int
    upper_95: float
    declared: bool


@dataclass(frozen=True)
class Findings:
    """What `find_equivalences` found.

    Attributes:
        findings: Equivalences, new ones first.
        traits: Traits of the workload, under which they were found.
        screened: Hypotheses looked at.
        confirmed: Hypotheses tried on fresh designs.
        undecided: Hypotheses for whose confirmation the budget, or designs, did not suffice, in words.
        declared_pairs: Pairs measured that the space declares equivalent.
        contradictions: Those of them whose metrics differ: a declared rule is wrong.
        designs: Designs of the screening.
        evaluations: Evaluations made.
        failed: Designs that failed. One that fails whenever it is tried is not like one that works; two that fail tell nothing.
        noise: Relative differences up to which each metric of a noisy simulator was taken for equal.
    """

    findings: tuple[Finding, ...]
    traits: tuple[str, ...]
    screened: int
    confirmed: int
    undecided: tuple[str, ...]
    declared_pairs: int
    contradictions: tuple[tuple[Design, Design], ...]
    designs: int
    evaluations: int
    failed: int
    noise: dict[str, float]

    @property
    def suggestions(self) -> tuple[str, ...]:
        """The rules of what is not declared yet, for the space itself; those for groups are in `script`."""
        return tuple(finding.rule for finding in self.findings if finding.rule and not finding.declared and not finding.group)

    def script(self, *, declared: bool = False) -> str:
        """Return Python to paste, which defines the lists ``conditions`` and ``symmetries`` of a space, and those of its groups.

        Args:
            declared: Whether to tell what is declared already, too.
        """
        told = [finding for finding in self.findings if finding.rule and (declared or not finding.declared)]
        groups = dict.fromkeys(sorted({finding.group for finding in told}))
        rules = {group: [finding.rule for finding in told if finding.group == group] for group in groups}
        return script(rules, {finding.rule: finding.note for finding in told if finding.note})

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return vars(self) | {
            "findings": [asdict(finding) for finding in self.findings],
            "contradictions": [[a.to_dict(), b.to_dict()] for a, b in self.contradictions],
            "suggestions": list(self.suggestions),
            "script": self.script(),
        }


def find_equivalences(
    simulator: Simulator,
    workload: Workload,
    *,
    samples: int = 200,
    budget: int = 10_000,
    seed: int = 0,
    fidelity: float = 1.0,
    tolerance: float | None = None,
    measurements: int = MEASUREMENTS,
    progress: Callable[[int], None] | None = None,
) -> Findings:
    """Measure which parameters, values and orders make no difference.

    Looked for: parameters without effect, always, where another one has some values, or where it is beyond a bound; values that act
    alike, always, where another parameter has one value, or beyond a bound; numbers that act as ``min(p, q)`` or ``max(p, q)``, or
    through their sum, difference, product or ratio only; parameters declared alike that may be swapped, one by one or several together;
    groups in any order; and all that inside of groups. The rules of the space are not used, so that they are checked too. That is no
    check of a simulator that itself looks at the canonical design only.

    What is found holds for this workload, or workloads with its traits, and for the share of designs stated; a rule says *all*. So a
    suggestion wants a reason before it is declared. Of many bounds, each for itself, about one in twenty is exceeded.

    Args:
        simulator: What measures. Of a noisy one, means are compared, and differences that its noise explains count for nothing.
        workload: What it measures on.
        samples: Designs of the screening; fewer if the budget does not suffice.
        budget: Most evaluations.
        seed: Seed of the draws.
        fidelity: Fraction of full fidelity in (0, 1].
        tolerance: Relative difference of metrics up to which they are equal; None for 1e-9, or for what the noise of a noisy simulator
            explains, which is measured first.
        measurements: Evaluations of each design by a noisy simulator.
        progress: Called with the number of evaluations just made.

    Raises:
        InputError: If a number is out of its range, the budget too small for any confidence, or a simulator noisy that says it is not.
        EvaluationError: If every evaluation failed.
    """
    numbers = (("samples", samples, 1), ("budget", budget, 1), ("seed", seed, 0), ("measurements", measurements, 1))
    for name, value, least in numbers:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} is {shorten(value)}, expected a whole number of {least} or more")
    if tolerance is not None and not tolerance >= 0:
        raise InputError(f"tolerance is {shorten(tolerance)}, expected a relative difference of 0 or more")
    rng = np.random.default_rng(seed)
    evidence = Evidence(
        simulator, workload, fidelity=fidelity, tolerance=tolerance, measurements=measurements, budget=budget, progress=progress
    )
    each = 1 if simulator.deterministic else measurements
    screenings = [
        (group, scope, Screening(scope, Hypotheses(scope.space, evidence.traits, group), rng)) for group, scope in _scopes(evidence, "")
    ]
    cost = each * sum(screening.cost for *_, screening in screenings)
    affordable = int(budget * VARYING_SHARE / cost)
    if affordable < FEWEST:
        raise InputError(
            f"a budget of {budget} evaluations is too small: each design is varied in {cost // each - 1} ways"
            f"{f' and measured {each} times' if each > 1 else ''}; give {int(FEWEST * cost / VARYING_SHARE) + 1} or more"
        )
    evidence.calibrate(rng)
    number = min(samples, affordable)
    evidence.allowance = int(SCREENING_SHARE * budget)
    hypotheses: list[tuple[Scope, Hypothesis]] = []
    undecided: list[str] = []
    dead: set[str] = set()
    for group, scope, screening in screenings:
        if any(f"{group}.".startswith(f"{name}.") for name in dead):
            continue  # what is inside of a group without effect has none either
        try:
            hypotheses += [(scope, hypothesis) for hypothesis in screening.run(scope.sample(rng, number))]
        except BudgetSpentError:
            screening.left_out = f"what is inside of {group}" if group else "everything"
        dead |= {f"{group}.{name}" if group else name for name in screening.dead}
        if screening.left_out:
            undecided.append(f"in {group}: {screening.left_out}" if group and group not in screening.left_out else screening.left_out)
    evidence.refuse_if_all_failed()
    evidence.allowance = budget
    found: list[tuple[Hypothesis, Finding]] = []
    for scope, hypothesis in hypotheses:
        try:
            finding = _confirm(hypothesis, scope, rng)
        except BudgetSpentError:
            undecided.append(hypothesis.words)
            continue
        if finding is not None and finding.designs >= FEWEST:
            found.append((hypothesis, finding))
        elif finding is not None:
            undecided.append(hypothesis.words)
    findings = _declarable(found, simulator, evidence, rng)
    return Findings(
        tuple(sorted(findings, key=lambda finding: (finding.declared, finding.group))), tuple(sorted(workload.traits)),
        sum(screening.screened for *_, screening in screenings), len(hypotheses), tuple(undecided), evidence.declared_pairs,
        tuple(evidence.contradictions), number, evidence.evaluations, evidence.failed, evidence.noise,
    )  # fmt: skip


def _scopes(scope: Scope, group: str) -> Iterator[tuple[str, Scope]]:
    """Yield a scope, and those of the elements of its groups."""
    yield group, scope
    for name, parameter in scope.space.parameters.items():
        if isinstance(parameter, Repeated):
            yield from _scopes(InsideGroup(scope, name), f"{group}.{name}" if group else name)


def _confirm(hypothesis: Hypothesis, scope: Scope, rng: np.random.Generator) -> Finding | None:
    """Return the finding that fresh designs make of a hypothesis; None if they refute it; raises `BudgetSpentError` if there are none."""
    pairs: list[tuple[Design, Design]] = []
    agreed = 0
    for wanted in CONFIRMATIONS:
        new = _fresh_pairs(hypothesis, scope, rng, wanted)
        try:
            outcomes = compare(scope, new)
        except BudgetSpentError:
            if not pairs:
                raise
            break
        if False in outcomes:
            return None
        pairs += new
        agreed += outcomes.count(True)
    declared = bool(pairs) and all(scope.declared(a, b) for a, b in pairs)
    rule = hypothesis.rules[0] if hypothesis.rules else ""
    note = "found on a workload with traits; this rule is for all workloads" if hypothesis.for_all and rule else ""
    return Finding(hypothesis.kind, hypothesis.words, rule, note, hypothesis.group, agreed, upper_bound(0, agreed), declared)


def _fresh_pairs(hypothesis: Hypothesis, scope: Scope, rng: np.random.Generator, wanted: int) -> Sequence[tuple[Design, Design]]:
    pairs: list[tuple[Design, Design]] = []
    for _ in range(DRAWS):
        for design in scope.sample(rng, wanted - len(pairs)):
            pair = hypothesis.pair(design, rng)
            if pair is not None and pair[0] != pair[1] and all(map(scope.legal, pair)):
                pairs.append(pair)
        if len(pairs) == wanted:
            break
    return pairs


def _declarable(
    found: Sequence[tuple[Hypothesis, Finding]], simulator: Simulator, evidence: Evidence, rng: np.random.Generator
) -> list[Finding]:
    """Return the findings, each with the first of its rules that can be declared with the rules of the findings before.

    What is refuted by a design whose form under a rule is not its equal, is left out.
    """
    rules: dict[str, list[str]] = {}
    findings: list[Finding] = []
    designs = evidence.sample(rng, 50)
    for hypothesis, finding in found:
        if finding.declared or not hypothesis.rules:
            findings.append(finding)
            continue
        for rule in hypothesis.rules:
            more = {**rules, finding.group: [*rules.get(finding.group, []), rule]}
            if fits(simulator.space, more, designs, evidence.traits):
                try:
                    alone = differing(simulator.space, {finding.group: [rule]}, rng, evidence.traits)
                    together = differing(simulator.space, more, rng, evidence.traits)
                    right = False not in compare(evidence, alone) and False not in compare(evidence, together)
                except BudgetSpentError:
                    right = True  # it is confirmed anyway
                if right:
                    rules = more
                    findings.append(replace(finding, rule=rule))
                break
        else:
            findings.append(replace(finding, rule="", note=""))
    return findings
