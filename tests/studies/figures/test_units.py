"""Numbers and units as people read them."""

import math

import pytest

from designgym.studies.figures.units import Scale, column, duration, number, unit_of_expression, words

UNITS = {"energy_pj": "pJ", "time_ns": "ns", "rate": "1", "area_mm2": "mm^2"}


@pytest.mark.parametrize(
    ("expression", "unit"),
    [
        ("energy_pj", "pJ"),
        ("energy_pj * time_ns", "pJ·ns"), ("energy_pj / time_ns", "pJ/ns"), ("energy_pj * rate", "pJ"),
        ("energy_pj + energy_pj", "pJ"), ("energy_pj + time_ns", ""), ("energy_pj * 2", ""),
        ("max(energy_pj, 1)", ""),
        ("rate / rate", "1"), ("unknown", ""), ("((", ""), ("-time_ns", "ns"), ("energy_pj / (time_ns * area_mm2)", "pJ/(ns·mm^2)"),
    ],
)  # fmt: skip
def test_unit_of_expression(expression: str, unit: str) -> None:
    assert unit_of_expression(expression, UNITS) == unit


@pytest.mark.parametrize(
    ("values", "unit", "text"),
    [
        ([51_595.0], "ns", "51.59 µs"), ([168_947_500.0], "pJ", "168.9 µJ"), ([8.717e12], "pJ·ns", "8.717 nJ·s"),
        ([0.5], "1", "0.5"),
        ([2.5], "mm^2", "2.5 mm²"), ([950.0], "mW", "950 mW"), ([math.nan], "ns", "\N{EN DASH}"),
        ([12.8], "Gb/s", "12.8 Gb/s"), ([0.0], "ns", "0 ns"),
    ],
)  # fmt: skip
def test_scale_picks_a_prefix_and_keeps_the_value(values: list[float], unit: str, text: str) -> None:
    assert Scale.of(values, unit).text(values[0]) == text


def test_scale_of_mixed_values_follows_the_median() -> None:
    scale = Scale.of([1e3, 2e3, 5e9], "ns")
    assert scale.unit == "µs"
    assert scale.factor == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234567.8, "1,234,568"), (1.0, "1"), (0.000012, "1.2\N{MULTIPLICATION SIGN}10⁻⁵"), (-2.5, "-2.5"), (math.inf, "\N{EN DASH}")],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 s"), (0.0123, "12.3 ms"), (61.0, "61 s"), (125.0, "2 min 5 s"), (3720.0, "1 h 2 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_columns_have_equally_many_decimals() -> None:
    assert column([10.1, 9.98765, 110.0]) == ["10.10", "9.99", "110.00"]
    assert column([1.0, 2.0, math.nan]) == ["1", "2", "\N{EN DASH}"]


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("total_time_ns", "ns", "total time"), ("edp_pj_ns", "pJns", "edp"), ("row_hit_rate", "1", "row hit rate"), ("ns", "ns", "ns"),
        ("bandwidth_gbps", "Gb/s", "bandwidth"),
    ],
)  # fmt: skip
def test_words(name: str, unit: str, expected: str) -> None:
    assert words(name, unit) == expected
