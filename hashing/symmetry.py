"""`find_equivalences`: which designs a simulator does not tell apart, found by measuring; suggests rules, adopts none.

In two steps. *Screening*: random designs, each varied in one parameter at a time (and with parameters swapped, groups reordered, values
clamped), show where metrics never differed. *Confirmation*: what survived is tried on fresh designs, which the screening did not
choose; their number gives the confidence. A hypothesis is screened out unless chance is an unlikely explanation for seeing no
difference: as unlikely as 5 % divided by the number of hypotheses (Bonferroni), given how often the parameter makes one elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.evaluator import AGREEMENT
from designgym.core.protocols import Simulator
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import upper_bound
from designgym.hashing.symmetry_evidence import BudgetSpentError, Evidence
from designgym.hashing.symmetry_hypotheses import Hypothesis
from designgym.hashing.symmetry_screening import FEWEST, Screening

CONFIRMATIONS = 59  # fresh designs without a difference: at most 5 % of designs have one, with 95 % confidence
FIRST_CONFIRMATIONS = 9  # of them, in a first round: most of what is wrong is found out here
SCREENING_SHARE = 0.6  # of the budget
DRAWS = 30  # tries per confirming design for which a rule has something to say


@dataclass(frozen=True)
class Finding:
    """An equivalence that no measurement contradicted.

    Attributes:
        kind: ``no effect``, ``equal values``, ``clamp``, ``interchangeable`` or ``unordered``.
        words: What was found.
        rule: The line that would declare it; empty if a parameter's name cannot stand in an expression.
        designs: Fresh designs on which both members of a pair were measured: no metric differed on any.
        upper_95: Upper bound of the share of designs on which the rule is wrong, with 95 % confidence (Clopper-Pearson, one-sided).
        declared: Whether the space declares it already.
    """

    kind: str
    words: str
    rule: str
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
        evaluations: Designs measured.
        failed: Evaluations that failed; their pairs were left out.
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

    @property
    def suggestions(self) -> tuple[str, ...]:
        """The rule lines of what is not declared yet."""
        return tuple(finding.rule for finding in self.findings if finding.rule and not finding.declared)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return vars(self) | {
            "findings": [vars(finding) for finding in self.findings],
            "contradictions": [[a.to_dict(), b.to_dict()] for a, b in self.contradictions],
            "suggestions": list(self.suggestions),
        }


def find_equivalences(
    simulator: Simulator,
    workload: Workload,
    *,
    samples: int = 200,
    budget: int = 10_000,
    seed: int = 0,
    fidelity: float = 1.0,
    tolerance: float = AGREEMENT,
    progress: Callable[[int], None] | None = None,
) -> Findings:
    """Measure which parameters, values and orders make no difference.

    Looked for: parameters without effect, always or where another parameter has one value of its; values that act alike, always or
    under such a condition; whole numbers that act as ``min(p, q)``; parameters declared alike that may be swapped; groups in any order.
    Parameters inside of groups are not looked at one by one. The rules of the space are not used, so that they are checked too. That
    is no check of a simulator that itself looks at the canonical design only.

    What is found holds for this workload, or workloads with its traits, and for the share of designs stated; a rule says *all*. So a
    suggestion wants a reason before it is declared. Of many bounds, each for itself, about one in twenty is exceeded.

    Args:
        simulator: What measures; a noisy one with one seed, so that only rules which it draws its noise by can be found.
        workload: What it measures on.
        samples: Designs of the screening; fewer if the budget does not suffice.
        budget: Most designs to measure.
        seed: Seed of the draws.
        fidelity: Fraction of full fidelity in (0, 1].
        tolerance: Relative difference of metrics up to which they are equal.
        progress: Called with the number of designs just measured.

    Raises:
        InputError: If a number is out of its range, or the budget too small for any confidence.
    """
    for name, value, least in (("samples", samples, 1), ("budget", budget, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} is {shorten(value)}, expected a whole number of {least} or more")
    rng = np.random.default_rng(seed)
    evidence = Evidence(simulator, workload, fidelity=fidelity, tolerance=tolerance, budget=budget, progress=progress)
    screening = Screening(evidence, rng)
    affordable = int(budget * SCREENING_SHARE / screening.cost)
    if affordable < FEWEST:
        needed = int(FEWEST * screening.cost / SCREENING_SHARE) + 1
        raise InputError(
            f"a budget of {budget} evaluations is too small: each design is varied in {screening.cost - 1} ways; give {needed} or more"
        )
    designs = evidence.space.sample(rng, min(samples, affordable))
    hypotheses = screening.run(designs)
    found: list[Finding] = []
    undecided: list[str] = []
    for hypothesis in hypotheses:
        try:
            finding = _confirm(hypothesis, evidence, rng)
        except BudgetSpentError:
            undecided.append(hypothesis.words)
            continue
        if finding is not None and finding.designs >= FEWEST:
            found.append(finding)
        elif finding is not None:
            undecided.append(hypothesis.words)
    return Findings(
        tuple(sorted(found, key=lambda finding: finding.declared)), tuple(sorted(workload.traits)), screening.screened, len(hypotheses),
        tuple(undecided), evidence.declared_pairs, tuple(evidence.contradictions), len(designs), evidence.evaluations, evidence.failed,
    )  # fmt: skip


def _confirm(hypothesis: Hypothesis, evidence: Evidence, rng: np.random.Generator) -> Finding | None:
    """Return the finding that fresh designs make of a hypothesis; None if they refute it."""
    pairs: list[tuple[Design, Design]] = []
    agreed = 0
    for wanted in (FIRST_CONFIRMATIONS, CONFIRMATIONS - FIRST_CONFIRMATIONS):
        new = _fresh_pairs(hypothesis, evidence, rng, wanted)
        outcomes = evidence.compare(new)
        if False in outcomes:
            return None
        pairs += new
        agreed += outcomes.count(True)
    declared = bool(pairs) and all(evidence.declared(a, b) for a, b in pairs)
    return Finding(hypothesis.kind, hypothesis.words, hypothesis.rule, agreed, upper_bound(0, agreed), declared)


def _fresh_pairs(hypothesis: Hypothesis, evidence: Evidence, rng: np.random.Generator, wanted: int) -> Sequence[tuple[Design, Design]]:
    pairs: list[tuple[Design, Design]] = []
    for _ in range(DRAWS):
        for design in evidence.space.sample(rng, wanted - len(pairs)):
            pair = hypothesis.pair(design, rng)
            if pair is not None and pair[0] != pair[1] and not any(map(evidence.space.violations, pair)):
                pairs.append(pair)
        if len(pairs) == wanted:
            break
    return pairs
