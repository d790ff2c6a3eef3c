"""Designs as people read them, in the table of the best and on the axes of parallel coordinates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import designgym as dg
from designgym.studies.figures.data import StudyData
from designgym.studies.figures.design_texts import design_texts, initials, legend, plain_value, shown_value
from designgym.studies.figures.parameter_axes import even_ticks, parameter_axis, power_ticks
from designgym.studies.figures.plots import Plots
from designgym.studies.report import render_report

LAYER = dg.DesignSpace(
    kind=dg.Categorical("conv", "pool", "skip"),
    kernel=dg.Ordinal(1, 3, 5),
    width=dg.PowerOfTwo(16, 64),
    conditions=[dg.Condition("kernel", "kind != 'skip'"), dg.Condition("width", "kind == 'conv'")],
)
SPACE = dg.DesignSpace(
    layers=dg.Repeated(LAYER, 0, 4),
    loops=dg.Permutation("batch", "channel", "row", "column"),
    rate=dg.Float(1e-5, 1e-1, log=True),
    optimizer=dg.Categorical("sgd", "adam"),
    momentum=dg.Float(0.0, 1.0),
    bytes=dg.Integer(1000, 64_000),
    conditions=[dg.Condition("momentum", "optimizer == 'sgd'")],
)


@dg.simulator(space=SPACE, metrics=[dg.metric("time_ns", goal="min"), dg.metric("error", unit="1", goal="min")], version="1")
def network(design: Mapping[str, Any], workload: Any, *, seed: int) -> dict[str, float]:
    """A made-up network."""
    size = 1 + sum(layer["kernel"] for layer in design["layers"])
    return {"time_ns": size * 100.0 + design["bytes"] / 100, "error": 1 / size + abs(math.log10(design["rate"]) + 3)}


@pytest.fixture(scope="module")
def structured(make_study: Callable[..., Any]) -> Any:
    return make_study(seeds=1, budget=40, objective=dg.minimize("time_ns * error"), simulator=network)


def element(kind: str, kernel: int, width: int) -> dict[str, Any]:
    return {"kind": kind, "kernel": kernel, "width": width}


def test_groups_and_orderings_in_short_and_a_dash_for_what_has_no_effect() -> None:
    layers = [element("conv", 3, 64), element("conv", 3, 64), element("pool", 5, 16), element("skip", 1, 32)]
    row = {"design.layers": layers, "design.loops": ["row", "batch"], "design.rate": 0.00012345678, "design.optimizer": "adam",
           "design.momentum": 0.5, "design.bytes": 64_000}  # fmt: skip
    assert design_texts(row, list(SPACE.parameters), SPACE) == {
        "layers": "2× conv(k=3,w=64), pool(k=5), skip", "loops": "row › batch", "rate": "0.0001235", "optimizer": "adam",  # noqa: RUF001
        "momentum": "–", "bytes": "64000",  # noqa: RUF001
    }  # fmt: skip
    assert design_texts(row, ["layers", "momentum"], None)["momentum"] == "0.5"  # without the space nothing is known to be without effect
    assert legend("layers", LAYER) == "in layers: k = kernel, w = width"
    assert (shown_value([]), shown_value(True), shown_value(math.nan)) == ("none", "True", "–")  # noqa: RUF001
    assert shown_value([{"a": 1}, {"a": 2}]) == "(a=1), (a=2)"
    assert plain_value([{"kind": "conv", "width": 2}] * 3) == "3x conv(w=2)" and plain_value(["row", "batch"]) == "row, batch"


def test_short_names_are_never_alike() -> None:
    assert initials(["kernel_size", "kernelWidth", "N"]) == {"kernel_size": "ks", "kernelWidth": "kw", "N": "n"}
    assert initials(["width", "ways"]) == {"width": "width", "ways": "ways"}


def test_the_best_designs_stand_side_by_side_and_constants_in_a_line(structured: Any) -> None:
    frame = structured.frame.copy()
    frame["design.optimizer"] = "adam"
    text = render_report(frame, structured.meta)
    table = re.search(r'<table class="designs">.*?</table>', text, re.DOTALL)
    assert table is not None
    heads = re.findall(r'<th scope="row">(.*?)</th>', table[0])
    shown = [re.sub(r"<.*?>", "", head).strip() for head in heads]
    assert shown[-2:] == ["searcher", "alike (proposals)"] and {"layers", "loops", "rate"} <= set(shown)
    assert not {"optimizer", "momentum"} & set(shown)
    assert "The same in all 8: optimizer = adam, momentum = –." in text  # noqa: RUF001
    assert "In layers: k = kernel, w = width." in text and "{&quot;" not in table[0]
    assert all(row.count("<td>") == 8 for row in table[0].split("<tr>")[2:])


def test_a_log_parameter_has_a_log_axis_and_plain_numbers_no_prefixes(structured: Any) -> None:
    data = StudyData(structured.frame, structured.meta)
    rows = np.arange(len(data.frame))
    rate, _ = parameter_axis(data, "rate", rows)
    assert rate["ticktext"] == ["0.0001", "0.001", "0.01"] and rate["tickvals"] == pytest.approx([-4, -3, -2])
    assert rate["values"] == pytest.approx(np.log10(data.frame["design.rate"].to_numpy()))
    size, _ = parameter_axis(data, "bytes", rows)
    assert set(size["ticktext"]) <= {f"{thousands},000" for thousands in range(1, 65)} and len(size["ticktext"]) >= 4


def test_orderings_and_groups_have_readable_axes(structured: Any) -> None:
    data = StudyData(structured.frame, structured.meta)
    rows = np.arange(len(data.frame))
    loops, instead = parameter_axis(data, "loops", rows)
    assert (loops["ticktext"], instead) == (["batch", "channel", "row", "column"], "first item")
    layers, instead = parameter_axis(data, "layers", rows)
    assert (layers["ticktext"], instead) == (["0", "1", "2", "3", "4"], "count")
    few = StudyData(structured.frame.head(8), structured.meta)
    texts, instead = parameter_axis(few, "loops", np.arange(8))
    assert instead == "" and all(" › " in text for text in texts["ticktext"])  # noqa: RUF001
    figure = Plots(structured.frame, structured.meta).parallel_coordinates().to_dict()
    assert "their length is drawn" in figure["layout"]["meta"]["caption"]
    assert not any("~s" in str(dimension.get("tickformat", "")) for dimension in figure["data"][0]["dimensions"])


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6))
def test_even_ticks_are_few_and_inside(low: float, span: float) -> None:
    ticks = even_ticks(low, low + span)
    assert 2 <= len(ticks) <= 9 and all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


@given(low=st.floats(-12, 12), span=st.floats(1e-3, 24))
def test_power_ticks_are_few_and_inside(low: float, span: float) -> None:
    low, high = 10**low, 10 ** (low + span)
    ticks = power_ticks(low, high)
    assert 2 <= len(ticks) <= 13 and all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in ticks)


def test_power_ticks_are_powers_of_ten_where_there_are_three() -> None:
    assert power_ticks(2e-5, 0.3) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert power_ticks(0.9, 30) == pytest.approx([1, 2, 5, 10, 20])
    assert even_ticks(3, 3) == [3]
