from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.statistics import verified_accuracy, verifier_ceiling

SHARES = st.floats(0.01, 0.99)


@pytest.mark.parametrize(("p", "f", "ceiling"), [(0.855, 0.45, 0.929), (0.579, 0.23, 0.856), (0.286, 0.12, 0.765), (0.339, 0.15, 0.779)])
def test_published_ceilings(p: float, f: float, ceiling: float) -> None:
    """HumanEval+: success, acceptance of wrong programs and conditional accuracy (Inference Scaling fLaws, notebook of its repository)."""
    assert verifier_ceiling(p, f) == pytest.approx(ceiling, abs=0.01)


@given(SHARES, SHARES, SHARES)
def test_attempts_approach_the_ceiling(p: float, f: float, t: float) -> None:
    assert verified_accuracy(p, f, 1_000_000, t) == pytest.approx(verifier_ceiling(p, f, t), abs=1e-9)
    values = [verified_accuracy(p, f, n, t) for n in (1, 2, 5, 50)]
    assert values == sorted(values) and values[-1] <= verifier_ceiling(p, f, t) + 1e-12
    assert values[0] == pytest.approx(p * t)


@given(SHARES, st.integers(1, 50))
def test_a_perfect_verifier_finds_every_right_answer(p: float, n: int) -> None:
    assert verified_accuracy(p, 0, n) == pytest.approx(1 - (1 - p) ** n)


@given(SHARES, st.integers(1, 50))
def test_a_verifier_that_knows_nothing_changes_nothing(p: float, n: int) -> None:
    assert verified_accuracy(p, 1, n) == pytest.approx(p)
    assert verified_accuracy(p, 0.3, n, 0.3, abstain=False) == pytest.approx(p)


@pytest.mark.parametrize("abstain", [True, False])
def test_it_is_what_a_simulation_gives(abstain: bool) -> None:
    p, f, t, n = 0.3, 0.2, 0.7, 4
    rng, games = np.random.default_rng(1), 100_000
    right = rng.random((games, n)) < p
    accepted = rng.random((games, n)) < np.where(right, t, f)
    first = np.where(accepted.any(1), accepted.argmax(1), n - 1)
    won = right[np.arange(games), first] & (accepted.any(1) | (not abstain))
    assert verified_accuracy(p, f, n, t, abstain=abstain) == pytest.approx(won.mean(), abs=0.006)


def test_values_that_cannot_be() -> None:
    with pytest.raises(InputError, match="nothing is ever accepted"):
        verifier_ceiling(0.5, 0, 0)
    assert verified_accuracy(0.5, 0, 3, 0) == 0
    for p, f, n, t in ((1.5, 0.0, 1, 1.0), (0.5, -0.1, 1, 1.0), (0.5, 0.1, 0, 1.0), (0.5, 0.1, 1, 2.0)):
        with pytest.raises(InputError, match="expected"):
            verified_accuracy(p, f, n, t)
