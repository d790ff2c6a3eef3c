"""Membership says what `validate` says, only quicker."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import designgym as dg
from designgym.core.design import Design
from designgym.core.errors import InputError

INNER = dg.DesignSpace(k=dg.Integer(0, 9), f=dg.Float(0, 1))
SPACE = dg.DesignSpace(
    i=dg.Integer(0, 9, step=3), p=dg.PowerOfTwo(1, 16), f=dg.Float(-1, 1), c=dg.Categorical("x", "y"), m=dg.Categorical(True, 2, "x", 1.5),
    o=dg.Permutation("a", "b", 3), g=dg.Repeated(INNER, 1, 2),
)  # fmt: skip
ELEMENT = Design({"k": 1, "f": 0.5})
SCALARS: list[Any] = [0, 1, 2, 3, 8, 9, 12, True, False, 1.0, 1.5, 2.0, -1.0, -2.0, float("nan"), float("inf"), "x", "y", "z", "a", None]
GROUPS: list[Any] = [
    (), (ELEMENT,), (ELEMENT,) * 2, (ELEMENT,) * 3, [ELEMENT], (Design({"k": 99, "f": 0.5}),), (Design({"k": 1}),), (1,),
    ("a", "b", 3), ("a", 3, "b"), ("a", "b"), ("a", "b", 4), ["a", "b", 3],
]  # fmt: skip


def accepted(values: dict[str, Any]) -> bool:
    try:
        SPACE.validate(values)
    except InputError:
        return False
    return True


@given(st.integers(0, 2**32), st.sampled_from(list(SPACE.parameters)), st.sampled_from(SCALARS + GROUPS))
def test_a_changed_value_belongs_exactly_if_validate_accepts_it(seed: int, name: str, value: Any) -> None:
    values = dict(SPACE.sample(np.random.default_rng(seed))[0]) | {name: value}
    assert SPACE.holds(Design(values)) == accepted(values)


@pytest.mark.parametrize("name", SPACE.parameters)
def test_every_parameter_must_be_there_and_no_other(name: str) -> None:
    design = SPACE.default()
    assert SPACE.holds(design)
    assert not SPACE.holds(Design({key: value for key, value in design.items() if key != name}))
    assert not SPACE.holds(Design({**design, "more": 1}))
    assert not SPACE.holds(Design({("other" if key == name else key): value for key, value in design.items()}))
