import math

import pytest

from designgym.core.errors import InputError
from designgym.studies.cli.options import parse_assignments
from designgym.studies.cli.tables import (
    design_value,
    format_cell,
    format_number,
    format_quantity,
    print_pairs,
    print_table,
    size_in_words,
    with_unit,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (True, "yes"), (1234567, "1,234,567"), (262874250.0, "262,874,250"), (217361.25, "217,361"), (1.5, "1.5"), (0.1, "0.1"),
        (-1234.5678, "-1,234.57"), (0.00012345678, "0.000123457"), (1e-9, "1e-09"), (1.23456789e20, "1.23457e+20"), (math.inf, "infinite"),
        (math.nan, "nan"), (99.99999999, "100"), (-0.0, "0"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "infinitely many"), (1, "1"), (1769472, "1,769,472"), (10**15, "1.0e15"),
        (23 * 10**77, "2.3e78"), (12 * 10**399, "1.2e400"),
    ],
)  # fmt: skip
def test_sizes(size: int | None, text: str) -> None:
    assert size_in_words(size) == text


def test_quantities_cells_and_titles() -> None:
    assert (format_quantity(1234.5, "ns"), format_quantity(0.5, "1")) == ("1,234.5 ns", "0.5")
    assert (format_cell(None), format_cell([1, "a", 2.5])) == ("-", "1, a, 2.5")
    assert (with_unit("area_mm2", "mm^2"), with_unit("rows", "1")) == ("area_mm2 [mm^2]", "rows")


def test_tables_are_plain_and_aligned_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Title", ("name", "value"), [("a", 1.5), ("bb", 1000), ("[bold]", None)])
    assert capsys.readouterr().out == "Title\nname    value\na         1.5\nbb      1,000\n[bold]      -\n"
    print_table("", ("name", "value"), [])
    assert capsys.readouterr().out == "name  value\n"
    print_pairs([("a", 1), ("long", ["x", "y"]), ("none", None), ("empty", [])])
    assert capsys.readouterr().out == "a     1\nlong  x, y\n"


def test_tables_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    print_table("Title", ("name", "value [ns]"), [("[bold]x", 1.5)])
    print_pairs([("words", "some " * 60)])
    text = capsys.readouterr().out
    assert "[bold]x" in text and "value [ns]" in text and max(map(len, text.splitlines())) <= 120


def test_values_of_designs_read_as_they_are_written() -> None:
    assert [design_value(value) for value in (True, 2048, ["a", 1], "x")] == ["True", "2,048", "a, 1", "x"]


def test_assignments() -> None:
    assert parse_assignments(None) == {}
    given = ["a=1", "b=0.5", "c=true", "d=True", "e=x=y", "f=[1, 2]", 'g="1"', "h=", "i=None"]
    assert parse_assignments(given) == {"a": 1, "b": 0.5, "c": True, "d": True, "e": "x=y", "f": [1, 2], "g": "1", "h": "", "i": None}
    for bad in (["a"], ["=1"], ["a=1", "a=2"], ["a=NaN"], ["a=1e999"], ["a=[1, Infinity]"]):
        with pytest.raises(InputError):
            parse_assignments(bad)
