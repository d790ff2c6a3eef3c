"""The laws of design spaces, on random spaces with conditions, constraints and symmetries."""

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.core.groups import Permutation, Repeated
from designgym.core.parameters import Categorical, Float, Integer, Ordinal, Parameter, PowerOfTwo
from designgym.core.rules import Condition, Constraint, Interchangeable, Rewrite, Symmetry, Unordered
from designgym.core.space import DesignSpace
from designgym.core.testing import check_space, equivalent_designs

SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
scalars = st.one_of(st.text("abxyz", min_size=1, max_size=3), st.integers(-9, 9), st.sampled_from([0.5, 1.0, -0.25]), st.booleans())


@st.composite
def integers(draw: st.DrawFn) -> Integer:
    log = draw(st.booleans())
    low = draw(st.integers(1, 50)) if log else draw(st.integers(-1000, 1000))
    high = low + draw(st.sampled_from([0, 1, 2, 7, 100, 10**6]))
    return Integer(low, high, log=log, step=1 if log else draw(st.integers(1, 3)))


@st.composite
def floats(draw: st.DrawFn) -> Float:
    log = draw(st.booleans())
    low = draw(st.floats(1e-12, 1e3) if log else st.floats(-1e6, 1e6))
    return Float(low, low + draw(st.sampled_from([0.0, 1e-3, 1.0, 1e9])), log=log)


@st.composite
def parameters(draw: st.DrawFn, depth: int = 1) -> Parameter:
    kinds = ["categorical", "ordinal", "integer", "power", "float", "permutation"] + (["repeated"] if depth else [])
    match draw(st.sampled_from(kinds)):
        case "categorical":
            return Categorical(*draw(st.lists(scalars, min_size=1, max_size=4, unique_by=lambda v: (type(v), v))))
        case "ordinal":
            return Ordinal(*draw(st.lists(scalars, min_size=1, max_size=4, unique_by=lambda v: (type(v), v))))
        case "integer":
            return draw(integers())
        case "power":
            low = draw(st.integers(0, 4))
            return PowerOfTwo(1 << low, 1 << low + draw(st.integers(0, 5)))
        case "float":
            return draw(floats())
        case "permutation":
            return Permutation(*draw(st.lists(st.text("klmn", min_size=1, max_size=2), min_size=1, max_size=5, unique=True)))
        case _:
            low = draw(st.integers(0, 2))
            return Repeated(draw(spaces(depth=depth - 1, most=2)), low, max(1, low + draw(st.integers(0, 2))))


@st.composite
def spaces(draw: st.DrawFn, depth: int = 1, most: int = 5) -> DesignSpace:
    named: dict[str, Parameter] = {f"p{i}": draw(parameters(depth)) for i in range(draw(st.integers(1, most)))}
    names = list(named)
    conditions = []
    for i in range(1, len(names)):  # each reads an earlier one: chains, never circles
        parent = names[draw(st.integers(0, i - 1))]
        if draw(st.booleans()) and (when := _condition(named[parent], parent)):
            conditions.append(Condition(names[i], when))
    numeric = [name for name, p in named.items() if isinstance(p, Integer | PowerOfTwo | Float)]
    constraints, symmetries = [], list[Symmetry]()
    if len(numeric) > 1 and draw(st.booleans()):
        a, b = numeric[:2]
        limit = _high(named[a]) + _low(named[b]) + 0.6 * (_high(named[b]) - _low(named[b]))
        constraints.append(Constraint(f"{a} + {b} <= {limit!r}", "the sum is too large"))
    for name in numeric:
        if isinstance(named[name], Integer) and draw(st.booleans()):  # clamps lower values, so that constraints stay kept
            middle = named[name].validate(list(_values(named[name]))[len(_values(named[name])) // 2])
            symmetries.append(Rewrite(name, f"min({name}, {middle})"))
    if draw(st.booleans()):
        twin = draw(parameters(depth=0))
        named |= {"s0": twin, "s1": twin, "s2": twin}
        symmetries.append(Interchangeable("s0", "s1", "s2"))
    symmetries += [Unordered(name) for name, p in named.items() if isinstance(p, Repeated) and draw(st.booleans())]
    return DesignSpace(
        named, conditions=conditions, constraints=constraints, symmetries=symmetries, version=draw(st.sampled_from(["1", "b"]))
    )


def _condition(parameter: Parameter, name: str) -> str:
    match parameter:
        case Categorical(choices=choices):
            return f"{name} == {choices[0]!r}"
        case Integer() | PowerOfTwo() | Float():
            return f"{name} > {(_low(parameter) + _high(parameter)) / 2!r}"
        case Repeated():
            return f"len({name}) > {parameter.low}"
    return ""


def _low(parameter: Any) -> float:
    return float(parameter.low)


def _high(parameter: Any) -> float:
    return float(parameter.high)


def _values(parameter: Any) -> Any:
    return parameter.values()


@SETTINGS
@given(spaces(), st.integers(0, 1000))
def test_every_space_keeps_the_laws(space: DesignSpace, seed: int) -> None:
    check_space(space, samples=8, seed=seed)


@SETTINGS
@given(spaces(), st.integers(0, 1000))
def test_equivalent_designs_share_their_canonical_form_and_are_idempotent(space: DesignSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for design in space.sample(rng, 4):
        canonical = space.canonical(design)
        assert space.canonical(canonical) == canonical
        for twin in equivalent_designs(space, design, rng, tries=10):
            assert twin != design
            assert space.canonical(twin).literal == canonical.literal


@SETTINGS
@given(spaces(depth=0))
def test_size_counts_the_combinations(space: DesignSpace) -> None:
    assert space.size() >= 1
    if space.size() <= 500 and not space.constraints:
        found = {d.literal for d in space.decode(np.random.default_rng(0).random((4000, len(space.columns))))}
        assert len(found) <= space.size()


@SETTINGS
@given(parameters(depth=0), st.lists(st.floats(0, 1), min_size=5, max_size=5), st.integers(0, 99))
def test_every_parameter_keeps_the_laws(parameter: Parameter, x: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = parameter.decode(x[: len(parameter.columns(""))] if len(parameter.columns("")) <= 5 else rng.random(9).tolist())
    assert repr(parameter.validate(value)) == repr(value)
    again = parameter.decode(parameter.encode(value))
    assert again == value or abs(again - value) <= 1e-9 * max(abs(value), 1.0)
    for moved in [parameter.mutate(value, rng), parameter.crossover(value, parameter.sample(rng), rng), *parameter.neighbours(value)]:
        assert parameter.validate(moved) == moved
    assert parameter.describe() and parameter.default == parameter.validate(parameter.default)
    if parameter.size() > 1 and not isinstance(parameter, Float | Permutation):
        mutant = parameter.mutate(value, rng)
        assert mutant != value or type(mutant) is not type(value)
