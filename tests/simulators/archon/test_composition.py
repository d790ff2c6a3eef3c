"""Every rule of composition has a case that breaks it, told in words, and one that just does not."""

import pytest

from designgym.core.errors import InputError
from designgym.simulators.archon.architecture import Architecture
from tests.simulators.archon.scripted import one

G, F, C, R, V = one("generator"), one("fuser"), one("critic"), one("ranker"), one("verifier")
UG, UE, B, M, P = one("unit_test_generator"), one("unit_test_evaluator"), one("best_of_n"), one("majority"), one("plan_search")
BLIND = one("ranker", use_critiques=False)


@pytest.mark.parametrize(
    ("breaking", "rule", "passing"),
    [
        ([[G], [F, R]], "layer 1 mixes fuser and ranker: a layer has one type of component", [[G], [F, F]]),
        ([[G], [F], [G]], "layer 2 has a generator: what makes candidates from the question stands only in the first layer", [[G, G], [F]]),
        ([[G], [P]], "layer 1 has a plan_search: what makes candidates from the question stands only in the first layer", [[G, P], [F]]),
        ([[F]], "layer 0 has a fuser: it needs candidates, so a generator must come before it", [[G], [F]]),
        ([[V], [F]], "layer 0 has a verifier: it needs candidates, so a generator must come before it", [[G], [V]]),
        ([[UG], [UE]], "layer 0 has a unit_test_generator: it needs candidates", [[G], [UG], [UE]]),
        ([[G], [R, R]], "layer 1 has 2 components, one of them a ranker: it stands alone in its layer", [[G], [R], [R]]),
        ([[G], [V, V]], "layer 1 has 2 components, one of them a verifier: it stands alone in its layer", [[G], [V]]),
        ([[G], [B, B]], "layer 1 has 2 components, one of them a best_of_n: it stands alone in its layer", [[G], [B]]),
        ([[G], [M, M]], "layer 1 has 2 components, one of them a majority: it stands alone in its layer", [[P], [M]]),
        ([[G], [C]], "layer 1 has a critic whose critiques nobody reads", [[G], [C], [R]]),
        ([[G], [C], [V]], "layer 1 has a critic whose critiques nobody reads", [[G], [C], [V], [F]]),
        ([[G], [C], [BLIND]], "layer 1 has a critic whose critiques nobody reads", [[G], [C], [BLIND], [F]]),
        ([[G], [F], [C], [M]], "layer 2 has a critic whose critiques nobody reads", [[G], [F], [C], [M], [F]]),
        ([[G], [C], [G], [R]], "layer 1 has a critic whose critiques nobody reads", [[G], [C], [R]]),  # others come in between
        ([[G], [C], [B]], "layer 1 has a critic whose critiques nobody reads", [[G], [C], [UG], [UE], [B], [R]]),
        ([[G], [UG], [F]], "layer 1 has a unit_test_generator, but layer 2 no unit_test_evaluator", [[G], [UG], [UE], [F]]),
        ([[G], [UG]], "layer 1 has a unit_test_generator, but layer 2 no unit_test_evaluator", [[G], [UG], [UE]]),
        ([[G], [UE]], "layer 1 has a unit_test_evaluator, but layer 0 no unit_test_generator", [[G], [UG], [UE]]),
        ([[G], [UG], [R], [UE]], "layer 3 has a unit_test_evaluator, but layer 2 no unit_test_generator", [[G], [R], [UG], [UE]]),
    ],
)  # fmt: skip
def test_rules_of_the_paper(breaking: list[list[object]], rule: str, passing: list[list[object]]) -> None:
    broken = Architecture.of(*breaking, name="bad")  # type: ignore[arg-type]
    assert any(reason.startswith(rule) for reason in broken.violations())
    with pytest.raises(InputError) as caught:
        broken.require_legal()
    assert rule in str(caught.value) and "architecture 'bad' is illegal" in str(caught.value)
    legal = Architecture.of(*passing)  # type: ignore[arg-type]
    assert legal.violations() == [] and legal.require_legal() is legal


@pytest.mark.parametrize(
    ("breaking", "rule", "passing"),
    [
        ([[F], [G]], "layer 0 has a fuser, but no layer before it a generator: it needs candidates", [[G], [F], [G]]),
        ([[UG], [V]], "layer 1 has a verifier, but no layer before it a generator: it needs candidates", [[UG], [G], [V], [UE]]),
        ([[UG]], "there is no generator: nothing answers the question", [[UG], [G]]),
        ([[G], [UE]], "layer 1 has a unit_test_evaluator, but no layer before it a unit_test_generator", [[UG], [G], [F], [UE]]),
        ([[G], [UG], [UE], [UE]], "layer 3 has a unit_test_evaluator, but no layer before it", [[G], [UG], [UE], [UG], [UE]]),
        ([[G], [F, C]], "layer 1 mixes critic and fuser", [[G], [C]]),
        ([[G], [C, C]], "layer 1 has 2 components, one of them a critic", [[G], [C], [C]]),
    ],
)  # fmt: skip
def test_what_running_needs_is_less(breaking: list[list[object]], rule: str, passing: list[list[object]]) -> None:
    assert any(reason.startswith(rule) for reason in Architecture.of(*breaking).violations(runnable=True))  # type: ignore[arg-type]
    assert Architecture.of(*passing).violations(runnable=True) == []  # type: ignore[arg-type]


def test_all_broken_rules_are_told_at_once() -> None:
    reasons = Architecture.of(F, [C, C], UE).violations()
    assert len(reasons) == 4
    for mark in ("layer 0 has a fuser", "layer 1 has 2 components", "layer 1 has a critic", "layer 2 has a unit_test_evaluator"):
        assert sum(reason.startswith(mark) for reason in reasons) == 1
