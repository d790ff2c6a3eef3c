"""Two definitions that differ: the message names the part, and its two values are never the same text."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import designgym as dg
from designgym.core.errors import InputError
from designgym.studies.differences import differences
from designgym.studies.store import open_store


def test_a_bound_that_changed_is_named(tmp_path: Path) -> None:
    def run(bound: str) -> None:
        objective = dg.minimize("latency_ns + 0 * area_mm2 * latency_ns", subject_to={"latency_ns": "<= 900", "area_mm2": bound})
        study = dg.Study("s", "test/Counting-v0", objective=objective, budget=2)
        with open_store(tmp_path / "s.db") as store:
            study.run(backend="local", store=store, progress=False)

    run("<= 6")
    with pytest.raises(InputError, match=r'definition: objective\.subject_to\.area_mm2 was "<= 6\.0", is now "<= 6\.5"\. Give'):
        run("<= 6.5")


def test_parts_are_named_by_what_they_are_called() -> None:
    old: dict[str, Any] = {
        "space": {"parameters": {"ways": {"low": 1, "high": 8}, "size": {"low": 1}}, "constraints": [{"holds": "a"}, {"holds": "b"}]},
        "metrics": [{"name": "x_ns", "unit": "ns"}, {"name": "y_pj", "unit": "pJ"}],
        "objective": {"terms": [["x_ns", "min", ""], ["y_pj", "min", ""]]},
        "budget": 3,
    }  # fmt: skip
    new: dict[str, Any] = {
        "space": {"parameters": {"ways": {"low": 1, "high": 9}}, "constraints": [{"holds": "a"}, {"holds": "c"}]},
        "metrics": [{"name": "y_pj", "unit": "pJ"}, {"name": "x_ns", "unit": "ns"}],
        "objective": {"terms": [["x_ns", "max", ""], ["y_pj", "min", ""]]},
        "budget": 3, "agreement": 0.1,
    }  # fmt: skip
    assert differences(old, new, ["space", "metrics", "objective", "budget", "agreement"]) == [
        "space.parameters.ways.high was 8, is now 9",
        'space.parameters.size was {"low":1}, is now absent',
        'space.constraints.1.holds was "b", is now "c"',
        'the order of metrics was ["x_ns","y_pj"], is now ["y_pj","x_ns"]',
        'objective.terms.x_ns was ["min",""], is now ["max",""]',
        "agreement was absent, is now 0.1",
    ]


def test_many_parts_are_counted() -> None:
    old, new = ({"space": {str(i): i + shift for i in range(9)}} for shift in (0, 1))
    assert differences(old, new, ["space"])[3:] == ["6 more parts of space differ"]


VALUES = st.recursive(
    st.integers(0, 3) | st.text("ab", min_size=95, max_size=200) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("nk", max_size=2), inner, max_size=4)
    | st.lists(st.fixed_dictionaries({"name": st.text("pq", max_size=2), "v": inner}), max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(VALUES, VALUES)
def test_values_that_differ_never_look_alike(old: Any, new: Any) -> None:
    texts = differences({"f": old}, {"f": new}, ["f"])
    assert bool(texts) == (old != new)
    for text in texts:
        if " was " in text:
            before, after = text.split(" was ", 1)[1].split(", is now ", 1)
            assert before != after
