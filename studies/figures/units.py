"""Numbers as people read them: units of expressions, scaled units for axes and tables, four significant digits."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PREFIXES = {"f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
SHOWN = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
BASES = ("s", "J", "W", "Hz", "b/s")  # units that are shown with another prefix where that reads better
PLAIN = {"um^2": "µm²", "mm^2": "mm²", "1": ""}
DOT = "·"
DASH = "\N{EN DASH}"  # in place of a number that does not exist
TIMES = "\N{MULTIPLICATION SIGN}"


def unit_of_expression(text: str, units: Mapping[str, str]) -> str:
    """Return the unit of an expression over metrics, such as ``pJ·ns`` for ``energy_pj * total_time_ns``; empty if it has none to state.

    Args:
        text: The expression.
        units: Unit of each metric by name.
    """
    try:
        return _unit(ast.parse(text.strip(), mode="eval").body, units) or ""
    except SyntaxError:
        return ""


def _unit(node: ast.AST, units: Mapping[str, str]) -> str | None:
    """Return the unit, or None where it cannot be told (a number that may carry a unit of its own, a function)."""
    match node:
        case ast.Name(id=name):
            return units.get(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _unit(operand, units)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            unit = _unit(left, units)
            return unit if unit is not None and unit == _unit(right, units) else None
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            a, b = _unit(left, units), _unit(right, units)
            return None if a is None or b is None else DOT.join(part for part in (a, b) if part != "1") or "1"
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            a, b = _unit(left, units), _unit(right, units)
            if a is None or b is None:
                return None
            return a if b == "1" else "1" if a == b else f"{a}/({b})" if DOT in b else f"{a}/{b}"
    return None


@dataclass(frozen=True)
class Scale:
    """A unit chosen so that the numbers are easy to read.

    Attributes:
        factor: What a value in the declared unit is multiplied by.
        unit: The unit after that; empty for counts and ratios.
    """

    factor: float
    unit: str

    @classmethod
    def of(cls, values: Iterable[float], unit: str) -> Scale:
        """Return the scale for values in ``unit``: their median lies between 1 and 1000 where a prefix can do that."""
        parsed = _parse(unit)
        finite = np.abs(np.asarray(list(values), dtype=float))
        finite = finite[np.isfinite(finite) & (finite > 0)]
        if parsed is None or not len(finite):
            return cls(1.0, plain_unit(unit))
        exponent, bases = parsed
        typical = float(np.median(finite)) * 10.0**exponent
        wanted = min(max(math.floor(math.log10(typical) / 3 + 1e-9) * 3, min(SHOWN)), max(SHOWN))
        return cls(10.0 ** (exponent - wanted), SHOWN[wanted] + DOT.join(bases))

    def text(self, value: float, digits: int = 4) -> str:
        """Return the value in this scale with its unit."""
        shown = number(value * self.factor, digits)
        return f"{shown} {self.unit}".rstrip() if shown != DASH else shown


def _parse(unit: str) -> tuple[int, list[str]] | None:
    """Split ``pJ·ns`` into a decimal exponent and base units; None if a part is not of the kind that takes prefixes."""
    exponent, bases = 0, []
    for part in unit.split(DOT):
        for base in sorted(BASES, key=len, reverse=True):
            if part.endswith(base) and part[: -len(base)] in PREFIXES:
                exponent += PREFIXES[part[: -len(base)]]
                bases.append(base)
                break
        else:
            return None
    return exponent, bases


def plain_unit(unit: str) -> str:
    """Return a declared unit as printed: nothing for ``"1"``, raised exponents."""
    return PLAIN.get(unit, unit)


def number(value: float, digits: int = 4) -> str:
    """Return a number with ``digits`` significant digits, thousands separated; a dash for NaN."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return _power_of_ten(value, digits) if magnitude < -4 or magnitude >= 9 else fixed_point(value, digits)


def fixed_point(value: float, digits: int) -> str:
    """Return a finite number other than 0 written out, thousands separated, with ``digits`` significant digits or all of its whole part."""
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _power_of_ten(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}{TIMES}10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def duration(seconds: float) -> str:
    """Return a time span in words: ``850 ms``, ``12.3 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    size = abs(seconds)
    if size >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    if size >= 120:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    if size >= 1 or size == 0:
        return f"{number(seconds, 3)} s"
    return f"{number(seconds * 1e3, 3)} ms" if size >= 1e-3 else f"{number(seconds * 1e6, 3)} µs"


def words(name: str, unit: str = "") -> str:
    """Return an identifier as words without its trailing unit: ``latency_avg_ns`` (ns) becomes ``latency avg``, ``RespQueue`` stays."""
    suffix = re.sub(r"[^a-z0-9]", "", unit.lower().replace("b/s", "bps"))
    parts = name.split("_")
    while len(parts) > 1 and suffix and suffix.endswith(parts[-1].lower()) and parts[-1]:
        suffix = suffix[: -len(parts[-1])]
        parts = parts[:-1]
    return " ".join(part for part in parts if part) or name


def column(values: Iterable[float], digits: int = 4, most: int = 6) -> list[str]:
    """Return the numbers of a table column with equally many decimals, so that they line up.

    Args:
        values: The numbers.
        digits: Significant digits, about.
        most: As many are used where fewer would show different numbers alike.
    """
    numbers = np.asarray(list(values), dtype=float)
    different = len(set(numbers[np.isfinite(numbers)].tolist()))
    texts = _column(numbers, digits)
    while len(set(texts)) < different and digits < most:
        digits += 1
        texts = _column(numbers, digits)
    return texts


def _column(numbers: NDArray[np.float64], digits: int) -> list[str]:
    finite = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    if not len(finite):
        return [number(float(value)) for value in numbers]
    magnitude = math.floor(math.log10(float(np.median(finite))))
    if magnitude < -4 or finite.max() >= 1e12:
        return [number(float(value), digits) for value in numbers]
    decimals = 0 if (numbers[np.isfinite(numbers)] % 1 == 0).all() else min(max(0, digits - 1 - magnitude), 9)
    return [f"{value:,.{decimals}f}" if math.isfinite(value) else DASH for value in numbers]
