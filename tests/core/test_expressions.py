import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.core.errors import DesignGymError, ExpressionError, UnknownNameError
from designgym.core.expressions import Expression

ENVIRONMENT = {"a": 3, "b": 2.5, "s": "text", "yes": True, "layers": (Design({"k": 1}), Design({"k": 4}))}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + 1", 4),
        ("-a ** 2", -9),
        ("a // 2 + a % 2", 2),
        ("a * b / 5", 1.5),
        ("2 < a <= 3", True),
        ("3 < a < 1 / 0.5", False),
        ("s == 'text' and a != 4", True),
        ("not yes or a in (1, 2)", False),
        ("s not in ['x', 'y']", True),
        ("a if yes else 0", 3),
        ("max(a, b) - min(a, 1)", 2),
        ("len(layers) == 2 and sum(values(layers, 'k')) == 5", True),
        ("round(b) + floor(b) + ceil(b)", 7),
        ("round(1.256, 2)", 1.26),
        ("log2(8) + sqrt(4) + exp(0) + abs(-1) + log(1)", 7),
        ("+a", 3),
        ("None == 1", False),
        (" a ", 3),
    ],
)
def test_the_language(text: str, value: object) -> None:
    assert Expression(text)(ENVIRONMENT) == value


@pytest.mark.parametrize(
    "text",
    [
        "a.__class__", "s.upper()", "(lambda: 1)()", "__import__('os')", "open('x')", "[x for x in layers]", "{x: 1 for x in layers}",
        "(x for x in layers)", "a := 1", "f'{a}'", "layers[0]", "a is None", "a is not b", "print(a)", "max(layers, key=len)",
        "max(*layers)",
        "await a", "yield", "a; b", "import os", "", " ", "1 +", "a = 1", "1j", "b'x'", "...", "eval('1')", "a & 1", "a << 9", "~a",
        "a @ b",
        "(" * 500 + ")" * 500, "-" * 1500 + "a", "+".join(["1"] * 900), "x" * 3000, "\x00", "{**layers}", "not" + " not" * 400 + " a",
    ],
)  # fmt: skip
def test_everything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 2600


def test_text_that_is_not_text_is_refused() -> None:
    with pytest.raises(ExpressionError, match="at most 2000"):
        Expression(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0", "a % 0", "log(0)", "sqrt(-1)", "a + s", "s * 1000000000", "s % 3", "(1, 2) * 1000000000", "exp(1000)", "(-8) ** 0.5",
        "9 ** 999", "((9 ** 64) ** 64) ** 64", "2 ** -65", "round(a, 1000000000)", "round(a, -1000000000)", "len(a)", "values(a, 'k')",
        "a < s", "max()", "min(1)", "a in b", "sum(s)", "0.0 ** -1",
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_one_error_quickly(text: str) -> None:
    expression = Expression(text)
    started = time.perf_counter()
    with pytest.raises(ExpressionError) as caught:
        expression(ENVIRONMENT)
    assert time.perf_counter() - started < 1 and "\n" not in str(caught.value)


def test_names_are_known_and_required() -> None:
    expression = Expression("a + max(b, c)")
    assert expression.names == {"a", "b", "c"}
    with pytest.raises(UnknownNameError, match="'c'"):
        expression(ENVIRONMENT)
    with pytest.raises(UnknownNameError, match="did you mean"):
        Expression("latncy_ns").require({"latency_ns"}, "metric")
    with pytest.raises(UnknownNameError):
        Expression("values(layers, 'z')")(ENVIRONMENT)
    expression.require({"a", "b", "c"}, "metric")


def test_an_expression_is_its_text() -> None:
    expression = Expression("a > 1")
    assert expression == Expression("a > 1") and expression != Expression("a > 2") and expression != "a > 1"
    assert hash(expression) == hash(Expression("a > 1")) and "a > 1" in repr(expression)
    assert pickle.loads(pickle.dumps(expression))(ENVIRONMENT) is True


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")  # from the parser, about text such as "1or 2"
@given(st.text(alphabet="ab123 +-*/()<>='.,[]{}:%not andorinxlms_\n\\\"", max_size=40))
def test_no_text_does_anything_but_work_or_raise_our_errors(text: str) -> None:
    try:
        Expression(text)(ENVIRONMENT)
    except DesignGymError as error:
        assert str(error)
