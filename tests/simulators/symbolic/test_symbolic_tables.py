"""Tables and formulas of one's own as workloads of symbolic regression."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core.errors import InputError, UnknownNameError
from designgym.envs import environment
from designgym.simulators.symbolic import Expression, SymbolicRegression, Table, formula, table

SIMULATOR = SymbolicRegression()


def measured(text: str, workload: dg.Workload, names: tuple[str, ...]) -> dg.Metrics:
    return SIMULATOR.evaluate([SIMULATOR.space.validate(Expression.parse(text, names).design)], workload)[0]


@pytest.fixture
def fall(tmp_path: Path) -> Path:
    """Heights of a fall by time and gravity, sorted by time as measurements often are."""
    time_s, gravity = np.linspace(0.1, 3, 80), np.tile([9.81, 1.62], 40)
    lines = [f"{t},{g},{100 - g * t * t / 2}" for t, g in zip(time_s, gravity, strict=True)]
    file = tmp_path / "fall.csv"
    file.write_text("\n".join(["time,gravity,height", *lines]))
    return file


def test_a_csv_file_is_a_workload_by_its_path(fall: Path) -> None:
    workload = environment("designgym/SymbolicRegression-v0").workload(str(fall))
    assert isinstance(workload.data, Table) and workload.data.names == ("time", "gravity") and workload.traits == {"inputs-2"}
    right = measured("2.5 - gravity * time**2 * 0.3", workload, ("time", "gravity"))
    wrong = measured("2.5 - gravity * time * 0.3", workload, ("time", "gravity"))
    assert right["accuracy"] == 1.0 > wrong["accuracy"]
    design = SIMULATOR.space.validate(Expression.parse("2.5 - gravity * time**2 * 0.3", ("time", "gravity")).design)
    assert Expression.parse(SIMULATOR.describe(design, workload), ("time", "gravity"))([[2.0, 9.81]]) == pytest.approx([80.38])
    assert len({*SIMULATOR.probe([design, SIMULATOR.space.default()], workload)}) == 2


def test_names_that_are_no_words_become_words_that_can_be_read_again() -> None:
    x = np.random.default_rng(0).uniform(1, 2, (64, 6))
    names = ["unit price (EUR)", "unit price, EUR", "2nd", "lambda", "sin", "%"]
    workload = table(x, x.sum(axis=1), names=names)
    assert isinstance(workload.data, Table)
    words = workload.data.names
    assert words == ("unit_price_EUR", "unit_price_EUR_", "_2nd", "lambda_", "sin", "_")
    formula = Expression.parse(" + ".join(f"sin({word})" for word in words), words)
    assert Expression.parse(SIMULATOR.describe(SIMULATOR.space.validate(formula.design), workload), words)(x) == pytest.approx(formula(x))
    with pytest.raises(InputError, match="names of the inputs must differ"):
        table(x[:, :2], x[:, 0], names=["a", "a"])


def test_rows_are_split_in_halves_that_do_not_depend_on_their_order_in_time(fall: Path) -> None:
    points = table(fall).data.arrays()
    assert len(points.train_y) == len(points.test_y) == 40
    assert abs(points.train[0].mean() - points.test[0].mean()) < 0.5  # halves of a sorted file as they stand would differ by 1.5


def test_the_target_is_y_or_the_last_column_or_the_one_named(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i * i},{i % 7}" for i in range(40))
    named, plain = tmp_path / "named.csv", tmp_path / "plain.csv"
    named.write_text("a,y,b\n" + rows)
    plain.write_text(rows)
    assert table(named).data.names == ("a", "b")
    assert table(named, target="a").data.names == ("y", "b")
    assert table(plain).data.names == ("x0", "x1") and table(plain).data.y[3] == 3
    with pytest.raises(InputError, match="has no column 'c': its columns are a, y, b"):
        table(named, target="c")


def test_arrays_and_files_of_the_same_numbers_are_the_same_workload(fall: Path) -> None:
    data = np.loadtxt(fall, delimiter=",", skiprows=1)
    arrays = table(data[:, :2], data[:, 2], names=["time", "gravity"])
    assert arrays.digest == table(fall).digest != table(data[:, :2], data[:, 2] + 1, names=["time", "gravity"]).digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n" + "1,2\n3,x\n" * 20, "column 'b' of .*t.csv is 'x' in line 3, expected a finite number"),
        ("a,b\n" + "1,2\n,4\n" * 20, "column 'a' of .*t.csv is empty in line 3"),
        ("a,b\n" + "1,2\n3,inf\n" * 20, "column 'b' of .*t.csv is 'inf' in line 3"),
        ("a,b\n" + "1,2\n3,4\n", "t.csv has 2 rows, expected 32 or more"),
        ("a,b\n" + "1,2\n2,2\n" * 20, "column 'b' of .*t.csv is 2 in all"),
        ("a;b\n" + "1;2\n" * 40, "has the column 'a;b' alone: expected one or more inputs and the values, separated by commas"),
        ("a,a\n" + "1,2\n" * 40, "different names in the first row, got 'a', 'a'"),
        ("a,b,c,d,e,f,g,y\n" + "1,2,3,4,5,6,7,8\n" * 40, "has 7 inputs, at most 6 fit: a, b, c, d, e, f, g"),
        ("", "cannot be read as CSV"),
        ("a,b\n" + "1,2\n1,2,3\n" * 20, "cannot be read as CSV"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        table(file)


def test_bad_arrays_are_refused_in_words(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).random((40, 2)), np.arange(40.0)
    with pytest.raises(InputError, match="does not exist"):
        table(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"values must have the shape \(40,\)"):
        table(x, y[:3])
    with pytest.raises(InputError, match=r"inputs must have the shape \(n, 1 to 6\), got \(40, 2, 1\)"):
        table(x[..., None], y)
    with pytest.raises(InputError, match="column 'x1' of the table is nan in row 4"):
        table(np.where(np.arange(80).reshape(40, 2) == 9, np.nan, x), y)
    with pytest.raises(InputError, match="names must name each of the 2 inputs"):
        table(x, y, names=["a"])
    with pytest.raises(InputError, match="needs inputs and values"):
        table(x)


def test_a_formula_of_ones_own_is_a_workload() -> None:
    decay = formula("3 * exp(-a * t)", a=(0.1, 1), t=(0, 2))
    assert measured("2 * exp(-(a * t))", decay, ("a", "t"))["accuracy"] == 1.0
    assert decay.digest != formula("3 * exp(-a * t)", a=(0.1, 1), t=(0, 3)).digest
    assert measured("a + 2", formula("a + 2", noise=0.1, a=(0, 1)), ("a",))["rmse"] > 0


@pytest.mark.parametrize(
    ("text", "ranges", "words"),
    [
        ("log(x)", {"x": (-1, 1)}, "is not finite at all points of x="),
        ("x - x", {"x": (0, 1)}, "the same value at all points"),
        ("x", {"x": (1, 0)}, r"range x=\(1, 0\): expected two finite numbers, the lower one first"),
        ("x", {"x": (0, 1), "z": (0, 1)}, "does not read z"),
        ("x", {}, "needs the range of each of its inputs"),
        ("x + sqrt(-2)", {"x": (0, 1)}, r"has no value: sqrt\(-2\)"),
    ],
)
def test_bad_formulas_are_refused_in_words(text: str, ranges: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        formula(text, **ranges)


def test_a_name_without_a_range_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match="'mass'"):
        formula("mass * x", x=(0, 1))


def test_a_study_on_a_table_finds_its_formula_and_describes_it(fall: Path) -> None:
    study = dg.Study("fall", env="designgym/SymbolicRegression-v0", workload=str(fall), searchers="evolution", budget=60, store=":memory:")
    best = study.run(backend="local", progress=False).best()[0]
    assert best.description and "nodes" not in str(best)
    again = Expression.parse(best.description, ("time", "gravity"))
    assert len(again.canonical().design["nodes"]) >= 1
