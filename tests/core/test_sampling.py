"""Drawing legal designs where hardly any is."""

from collections import Counter

import numpy as np
import pytest

from designgym.core.errors import InputError
from designgym.core.parameters import Categorical, Integer
from designgym.core.rules import Constraint
from designgym.core.sampling import LegalSampler
from designgym.core.space import DesignSpace

PAIRS = [Constraint(f"a{i} <= b{i}", "a is at most b") for i in range(6)]
LINK = Constraint("a0 + a1 + b2 <= 4", "they are few together")
PARAMETERS = {f"{name}{i}": Integer(1, 4) for i in range(6) for name in "ab"} | {"free": Categorical("x", "y")}


def test_legal_designs_are_equally_likely() -> None:
    space = DesignSpace({n: Integer(1, 3) for n in ("a0", "b0", "a1", "b1", "b2")}, constraints=[PAIRS[0], PAIRS[1], LINK])
    sampler, rng = LegalSampler(space.parameters, space.constraints, 1000), np.random.default_rng(0)
    every = [dict(zip(space.parameters, map(int, values), strict=True)) for values in np.ndindex(4, 4, 4, 4, 4) if min(values) > 0]
    legal = [design for design in every if not space.violations(design)]
    draws = 400 * len(legal)
    counts = Counter(tuple(values[name] for name in space.parameters) for values in (sampler(rng) for _ in range(draws)))
    assert set(counts) == {tuple(d.values()) for d in legal}
    chi2 = sum((count - 400) ** 2 / 400 for count in counts.values())
    assert chi2 < len(legal) + 5 * np.sqrt(2 * len(legal))  # five standard deviations above the mean


def test_spaces_with_few_legal_designs_are_sampled_constraint_by_constraint() -> None:
    narrow = [Constraint(f"a{i} == 4 and b{i} == 4", "both are 4") for i in range(6)]  # one of 16 million
    space = DesignSpace(PARAMETERS, constraints=[*PAIRS, *narrow])
    designs = space.sample(np.random.default_rng(1), 20)
    assert {d["a0"] for d in designs} == {4} and {d["free"] for d in designs} == {"x", "y"}
    assert designs == space.sample(np.random.default_rng(1), 20)


def test_a_constraint_that_nothing_keeps_is_named() -> None:
    space = DesignSpace(PARAMETERS, constraints=[*PAIRS, Constraint("a3 > 4", "a3 is never so large")])
    with pytest.raises(InputError, match=r"no legal design.*a3 is never so large"):
        space.sample(np.random.default_rng(0), 1)
