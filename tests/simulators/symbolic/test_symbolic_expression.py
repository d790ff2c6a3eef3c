"""Expressions as callables and as text, their derivatives and their fits."""

import copy
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.core.errors import InputError, UnknownNameError
from designgym.hashing import functional_hash
from designgym.simulators.symbolic import Expression
from designgym.simulators.symbolic.graph import gradients_of, values_of
from designgym.simulators.symbolic.operations import CONSTANTS, FIRST_CONSTANT
from designgym.simulators.symbolic.space import NODES, expression_space
from tests.simulators.symbolic.conftest import designs

X = np.random.default_rng(0).uniform(-3, 3, (12, 3))
VALUES = dict(zip(CONSTANTS, (1.25, -0.5, 3.0, -2.0), strict=True))


@settings(max_examples=200, deadline=None)
@given(designs())
def test_it_computes_what_plain_python_does(reference: Callable[..., float], design: Design) -> None:
    found = Expression(design, VALUES, inputs=3)(X)
    for value, row in zip(found, X.tolist(), strict=True):
        exact, near = (reference(design[NODES], row, VALUES, inputs=3, error=error) for error in (0.0, 1e-12))
        if math.isfinite(exact) and math.isfinite(near):
            slack = 1e-9 * abs(exact) + 10 * abs(near - exact)  # what rounding may do to it
            assert value == pytest.approx(exact, abs=slack, rel=0) or slack > 1e-3 * abs(exact)
        elif str(exact) == str(near):  # the same infinity, or NaN
            assert str(float(value)) == str(exact)


@settings(max_examples=100, deadline=None)
@given(designs(longest=12))
def test_its_text_computes_the_same(design: Design) -> None:
    expression = Expression(design, VALUES, inputs=3)
    text = str(expression)
    scope: dict[str, Any] = {name: getattr(np, name) for name in ("sqrt", "exp", "log", "sin", "cos", "tanh")}
    scope |= {f"x{i}": X[:, i] for i in range(3)} | {"one": np.float64(1.0)}
    result, *where = text.split(", where ")
    definitions = where[0].split(", ") if where else []
    with np.errstate(all="ignore"):
        for definition in definitions:
            name, _, value = definition.partition(" = ")
            scope[name] = eval(_numpy(value), scope)
        evaluated = np.broadcast_to(eval(_numpy(result), scope), len(X))
    assert np.array_equal(evaluated, expression(X), equal_nan=True)


def _numpy(text: str) -> str:
    """Numbers as numpy knows them, which does not raise when it divides by zero; squares stay what they are."""
    return re.sub(r"(?<![\w.*])(?<!\*\*)(\d+(?:\.\d+)?(?:e[-+]?\d+)?)", r"(one * \1)", text)


def test_long_texts_name_what_they_repeat() -> None:
    doubled = [{"op": "add", "a": "x0", "b": "x1"}] + [{"op": "add", "a": "back1", "b": "back1"}] * 10
    text = str(Expression({NODES: doubled}, inputs=2))
    assert text.startswith("t10 + t10, where t1 = x0 + x1, t2 = t1 + t1,") and len(text) < 300
    assert str(Expression({NODES: doubled[:3]})) == "x0 + x1 + (x0 + x1) + (x0 + x1 + (x0 + x1))"


@settings(max_examples=100, deadline=None)
@given(designs(operations=("add", "sub", "mul", "div", "neg", "inverse", "square", "sqrt", "exp", "log", "sin", "cos", "tanh"), longest=8))
def test_derivatives_are_those_of_differences(design: Design) -> None:
    graph = Expression(design, VALUES, inputs=3).canonical().graph
    columns, step = list(X.T), 1e-6
    point = np.array([1.25, -0.5, 3.0, -2.0])
    with np.errstate(all="ignore"):
        found = np.broadcast_to(
            gradients_of(graph, values_of(graph, columns, list(point)), range(FIRST_CONSTANT, FIRST_CONSTANT + 4)), (4, 12)
        )
        for i in range(4):
            at = [np.broadcast_to(values_of(graph, columns, list(point + k * step * np.eye(4)[i]))[graph.root], 12) for k in (-2, -1, 1, 2)]
            slopes = (at[2] - at[1]) / (2 * step), (at[3] - at[0]) / (4 * step)
            smooth = np.abs(slopes[0] - slopes[1]) < 1e-4 * np.abs(slopes[0]) + 1e-6 / step * 1e-4
            usable = smooth & np.isfinite(found[i]) & (np.abs(at[1]) < 1e3)
            assume(usable.any())
            assert np.allclose(found[i][usable], slopes[0][usable], rtol=1e-3, atol=1e-4)


def test_constants_that_were_never_fitted_make_equal_families_equal_functions() -> None:
    one = {NODES: [{"op": "mul", "a": "c3", "b": "x0"}, {"op": "add", "a": "back1", "b": "c1"}]}
    other = {NODES: [{"op": "mul", "a": "x0", "b": "c0"}, {"op": "add", "a": "c2", "b": "back1"}]}
    assert np.array_equal(Expression(one)(X), Expression(other)(X))
    assert Expression(one).constants["c3"] != Expression(one).constants["c1"]


def test_a_candidate_of_the_functional_hash() -> None:
    def hashed(text: str) -> Any:
        return functional_hash(Expression.parse(text, ("x", "y", "z")), [X])

    assert hashed("x * (y + z)") == hashed("x * y + x * z") != hashed("x * y + z")
    assert hashed("2 * x") == hashed("x + x") != hashed("2.001 * x")
    assert copy.deepcopy(Expression.parse("x + y", ("x", "y")))([[1, 2]]) == [3.0]


@pytest.mark.parametrize(
    "text", ["2.5 * exp(-0.7 * x) + 0.3", "x**3 / (4 + x)", "sqrt(x + 3.5) - log(x * 2)", "tanh(0.4 * x) * y**4", "5.5 / 3 - 2"]
)
def test_fits_find_the_constants(text: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0.5, 4, (120, 2))
    truth = Expression.parse(text, ("x", "y"))
    y = truth(x) + (rng.standard_normal(120) * 1e-3 if "x" not in text else 0)
    fitted = Expression(truth.design, inputs=2, names=("x", "y")).fitted(x, y)
    assert np.allclose(fitted(x), truth(x), rtol=1e-3 if "x" not in text else 1e-7)


def test_a_constant_is_fitted_beside_one_whose_derivative_is_infinite() -> None:
    """The root of log(c0 / c0) has no slope at 0, which must not hide that of c1."""
    nodes = [
        {"op": "div", "a": "c0", "b": "c0"},
        {"op": "log", "a": "back1"},
        {"op": "sqrt", "a": "back1"},
        {"op": "sub", "a": "back1", "b": "c1"},
    ]
    y = np.array([1.0, 2.0, 3.0, 6.0])
    fitted = Expression({NODES: nodes}).fitted(np.zeros((4, 1)), y)
    assert fitted(np.zeros((1, 1)))[0] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x +", "cannot be read"),
        ("x ** y", r"x \*\* y"),
        ("x ** 5", r"x \*\* 5"),
        ("x % 2", "x % 2"),
        ("open('f')", "open"),
        ("exp(x, y)", "exp"),
        ("True + x", "True"),
        ("2 * x + 3 * y + 4 * x * y + 5 * x**2 + 6", "more than 4 constants"),
        (" + ".join(f"sin(x)**{p} * exp(y) * cos({f}(x))" for p in (2, 3, 4) for f in ("exp", "log")), "more than 20 operations"),
        ("x / (1 - 1) + 1 / 0", "divides by 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_parsed_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Expression.parse(text, ("x", "y"))


def test_unknown_names_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="'z'"):
        Expression.parse("x + z", ("x", "y"))
    with pytest.raises(UnknownNameError, match="c7"):
        Expression(expression_space().default(), {"c7": 1.0})
    with pytest.raises(InputError, match="c1 is nan"):
        Expression(expression_space().default(), {"c1": math.nan})
    with pytest.raises(InputError, match="from 1 to 6"):
        Expression(expression_space().default(), inputs=7)
    with pytest.raises(InputError, match="at most 6 inputs"):
        Expression.parse("a", list("abcdefg"))
    expression = Expression.parse("x + y", ("x", "y"))
    with pytest.raises(InputError, match=r"shape \(n, 2 or more\)"):
        expression(np.zeros((3, 1)))
    with pytest.raises(InputError, match="shape"):
        expression(np.zeros(3))
    for target in (np.zeros(3), np.ones(2), np.array([1.0, np.nan, 2.0])):
        with pytest.raises(InputError, match="y must hold 3"):
            expression.fitted(np.zeros((3, 2)), target)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_what_is_printed_with_all_digits_is_read_as_the_same_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    design = expression_space().sample(rng, 1)[0]
    constants = {f"c{i}": float(value) for i, value in enumerate(rng.uniform(0.1, 3, 4))}
    expression = Expression(design, constants)
    x = rng.uniform(0.5, 3, (10, 6))
    try:
        again = Expression.parse(f"{expression:.17g}")
    except InputError as error:  # parts of numbers alone are computed at once: log(0.5 - 2) has no value
        assert "has no value" in str(error) or "divides by 0" in str(error) or "more than 4 constants" in str(error)
        return
    np.testing.assert_allclose(again(x), expression(x), rtol=1e-9, equal_nan=True)


def test_long_expressions_are_read_with_their_parts_whatever_inputs_are_called() -> None:
    text = "t1"
    for _ in range(6):
        text = f"({text}) * ({text} + t2)"
    expression = Expression.parse(text, ["t1", "t2"])
    assert ", where u1 = " in str(expression)
    assert Expression.parse(str(expression), ["t1", "t2"]).graph == expression.graph
