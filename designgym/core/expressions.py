"""A small, safe expression language for conditions, constraints, rewrites and objectives.

Expressions are Python syntax restricted to names, constants, arithmetic, comparisons, ``and / or / not``, ``in``, conditional
expressions and the functions in `FUNCTIONS`. They are strings, so that a space or an objective is plain JSON; they are translated
into closures, never handed to ``eval``, so that a file or a store cannot run code.
"""

from __future__ import annotations

import ast
import contextlib
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from designgym.core.errors import ExpressionError, UnknownNameError, shorten

Environment = Mapping[str, Any]
_Closure = Callable[[Environment], Any]
MAX_DEPTH = 100  # nesting; deeper text is not written by people
MAX_BITS = 512  # of an integer operand


def _values(group: Any, name: str) -> tuple[Any, ...]:
    """Return one parameter of every element of a repeated group."""
    return tuple(element[name] for element in group)


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > 64:
        raise ExpressionError(f"exponent {exponent!r} is larger than 64: rewrite the expression without it")
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError(f"{base!r} ** {exponent!r} is not a real number")
    return result


def _arithmetic(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Restrict an operator to numbers of reasonable size: ``'a' * 10**9`` and ``(9**64)**64`` would eat memory or time."""

    def checked(a: Any, b: Any) -> Any:
        for operand in (a, b):
            if isinstance(operand, str | tuple):
                raise TypeError(f"arithmetic needs numbers, got {shorten(operand)}")
            if isinstance(operand, int) and operand.bit_length() > MAX_BITS:
                raise ExpressionError(f"an integer of more than {MAX_BITS} bits: use floating-point numbers, such as 1e30")
        return function(a, b)

    return checked


def _round(number: Any, digits: int = 0) -> Any:
    if abs(digits) > 300:
        raise ValueError(f"round to {digits} digits")
    return round(number, digits) if digits else round(number)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "ceil": math.ceil, "exp": math.exp, "floor": math.floor, "len": len, "log": math.log, "log2": math.log2,
    "max": max, "min": min, "round": _round, "sqrt": math.sqrt, "sum": sum, "values": _values,
}  # fmt: skip

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    kind: _arithmetic(function)
    for kind, function in {
        ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: _power,
    }.items()
}  # fmt: skip
_UNARY: dict[type[ast.AST], Callable[[Any], Any]] = {ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos}
_COMPARE: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


class Expression:
    """A parsed expression: call it with a mapping of names to values.

    Attributes:
        text: The expression as written; it is the JSON form.
        names: The free names that it reads.

    Raises:
        ExpressionError: If the text does not parse or uses what the language does not have.
    """

    __slots__ = ("_run", "names", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        if not isinstance(text, str) or len(text) > 2000:
            raise ExpressionError(f"expected an expression of at most 2000 characters, got {shorten(text)}")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f"cannot parse expression {shorten(text)}: {getattr(error, 'msg', error)}") from None
        names: set[str] = set()
        self._run = _translate(tree, text, names, MAX_DEPTH)
        self.names = frozenset(names)

    def __call__(self, environment: Environment) -> Any:
        """Return the expression's value; arithmetic errors (division by zero ...) become `ExpressionError`."""
        try:
            return self._run(environment)
        except ExpressionError:
            raise
        except KeyError as error:
            raise UnknownNameError(f"name in expression {self.text!r}", error.args[0], environment) from None
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ExpressionError(f"expression {self.text!r} cannot be evaluated: {error}") from None

    def require(self, known: frozenset[str] | set[str], what: str) -> None:
        """Raise `UnknownNameError` if the expression reads a name that is not in ``known``."""
        for name in sorted(self.names - known):
            raise UnknownNameError(f"{what} in expression {self.text!r}", name, known)

    def compared(self) -> Iterator[tuple[str, Any]]:
        """Yield each name that is tested for equality with a constant, or for being among constants, with the constant."""
        for node in ast.walk(ast.parse(self.text.strip(), mode="eval")):
            if isinstance(node, ast.Compare):
                operands = [node.left, *node.comparators]
                for left, test, right in zip(operands, node.ops, operands[1:], strict=False):
                    yield from _compared(left, test, right)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return Expression, (self.text,)


def _translate(node: ast.AST, text: str, names: set[str], depth: int) -> _Closure:
    """Return a closure that evaluates ``node``; collects the free names on the way."""
    if not depth:
        raise ExpressionError(f"expression {shorten(text)} is nested more than {MAX_DEPTH} deep: split it up")

    def sub(child: ast.AST) -> _Closure:
        return _translate(child, text, names, depth - 1)

    match node:
        case ast.Constant(value=value) if _plain(value):
            return lambda env: value
        case ast.Name(id=name):
            names.add(name)
            return operator.itemgetter(name)
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            parts = [sub(element) for element in elements]
            return lambda env: tuple(part(env) for part in parts)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            unary, inner = _UNARY[type(op)], sub(operand)
            return lambda env: unary(inner(env))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            binary, a, b = _BINARY[type(op)], sub(left), sub(right)
            return lambda env: binary(a(env), b(env))
        case ast.BoolOp(op=op, values=values):
            return _junction([sub(value) for value in values], isinstance(op, ast.And))
        # the two commonest tests, in one call instead of three: rules run for every design
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=value)]) if _plain(value):
            names.add(name)
            return lambda env: env[name] == value
        case ast.Compare(left=ast.Constant(value=value), ops=[ast.In()], comparators=[ast.Name(id=name)]) if _plain(value):
            names.add(name)
            return lambda env: value in env[name]
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _compare([_COMPARE[type(op)] for op in ops if type(op) in _COMPARE], [sub(left), *map(sub, comparators)], text)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            condition, yes, no = sub(test), sub(body), sub(orelse)
            return lambda env: yes(env) if condition(env) else no(env)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            function, parts = FUNCTIONS[name], [sub(arg) for arg in args]
            return lambda env: function(*(part(env) for part in parts))
    snippet = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
    raise ExpressionError(
        f"{snippet!r} is not allowed in expression {text!r}: use names, numbers, strings, arithmetic, comparisons, and/or/not, in, "
        f"and the functions {', '.join(sorted(FUNCTIONS))}"
    )


def _plain(constant: object) -> bool:
    return constant is None or isinstance(constant, bool | int | float | str)


def _compared(left: ast.expr, test: ast.cmpop, right: ast.expr) -> Iterator[tuple[str, Any]]:
    name, constants = "", list[ast.expr]()
    match test, left, right:
        case ast.Eq() | ast.NotEq(), ast.Name(id=name), _:
            constants = [right]
        case ast.Eq() | ast.NotEq(), _, ast.Name(id=name):
            constants = [left]
        case ast.In() | ast.NotIn(), ast.Name(id=name), ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            constants = elements
    for constant in constants:
        with contextlib.suppress(ValueError, TypeError):  # not a constant: another name, an operation
            yield name, ast.literal_eval(constant)


def _junction(parts: list[_Closure], conjunction: bool) -> _Closure:
    """Return a closure for ``and`` or ``or``, which stops at the first part that decides."""

    def junction(env: Environment) -> bool:
        for part in parts:
            if bool(part(env)) is not conjunction:
                return not conjunction
        return conjunction

    return junction


def _compare(tests: list[Callable[[Any, Any], bool]], parts: list[_Closure], text: str) -> _Closure:
    """Return a closure for a chain of comparisons such as ``0 < x <= 3``."""
    if len(tests) != len(parts) - 1:
        raise ExpressionError(f"'is' is not allowed in expression {text!r}: use == or !=")
    if len(tests) == 1:
        test, (left, right) = tests[0], parts
        return lambda env: test(left(env), right(env))

    def chain(env: Environment) -> bool:
        values = [part(env) for part in parts]
        return all(test(a, b) for test, a, b in zip(tests, values, values[1:], strict=False))

    return chain
