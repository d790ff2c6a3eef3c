from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.archon.grading import Constraint
from designgym.simulators.archon.grading.constraints import CONSTRAINTS

CASES = [
    (Constraint("words", 2, 3), ["one two", "one, two - three!"], ["one", "a b c d", ""]),
    (Constraint("sentences", 2, 2),
     ["One. Two!", 'He said "no." Then he left', "It costs 3.50 now. Yes?"], ["One.", "One. Two. Three.", ""]),
    (Constraint("paragraphs", 2, 2), ["a\n\nb", "a\nstill a\n \nb\n"], ["a\nb", "a\n\nb\n\nc"]),
    (Constraint("bullets", 2, 3), ["- a\n- b", "Here:\n* a\n  * b\n* c"], ["- a", "-a\n-b", "1 - 2\n3 - 4"]),
    (Constraint("contains", texts=("red", "blue sky")), ["Red is a BLUE SKY", "red, blue sky."], ["red", "redder blue sky", "blue sky"]),
    (Constraint("repeats", 2, 2, ("no",)), ["no, No", "no nothing no"], ["no", "no no no", "nothing none"]),
    (Constraint("lacks", texts=("the", "a")), ["this and that", "theatre"], ["The end", "not a thing"]),
    (Constraint("lacks_sign", texts=(",", "!")), ["one. two"], ["one, two", "one!"]),
    (Constraint("starts_with", texts=("Once",)), ["Once upon", "  Once"], ["once", "At once"]),
    (Constraint("ends_with", texts=("end.",)), ["the end.", "end.\n"], ["the end", "end. more"]),
    (Constraint("lower_case"), ["all lower 1"], ["One", "", "123"]),
    (Constraint("upper_case"), ["ALL UPPER"], ["ONe", "123"]),
    (Constraint("json_keys", texts=("a", "b")), ['{"a": 1, "b": 2}', '```json\n{"b": [], "a": {}}\n```'],
     ['{"a": 1}', "[1]", "a b", '{"a":1,"b":2,"c":3}', 'x {"a": 1, "b": 2}']),
]  # fmt: skip


@pytest.mark.parametrize(("constraint", "kept", "broken"), CASES, ids=[case[0].kind for case in CASES])
def test_texts_keep_to_it_or_not(constraint: Constraint, kept: list[str], broken: list[str]) -> None:
    assert [constraint.holds(text) for text in kept] == [True] * len(kept)
    assert [constraint.holds(text) for text in broken] == [False] * len(broken)
    assert str(constraint).endswith(".") and all(text in str(constraint) for text in constraint.texts)


def test_every_kind_is_tested() -> None:
    assert [case[0].kind for case in CASES] == list(CONSTRAINTS)


@given(st.sampled_from([case[0] for case in CASES]), st.text())
def test_every_text_is_judged(constraint: Constraint, text: str) -> None:
    assert isinstance(constraint.holds(text), bool)
    assert constraint.holds(f" \n{text}\n ") == constraint.holds(text)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "words", "least": 3, "most": 2}, "no larger than"),
        ({"kind": "words"}, "whole numbers"),
        ({"kind": "words", "most": True}, "whole numbers"),
        ({"kind": "contains"}, "not empty"),
        ({"kind": "contains", "texts": ["", "a"]}, "not empty"),
        ({"kind": "contains", "texts": "abc"}, "a list of texts"),
        ({"kind": "lower_case", "size": 2}, "alone"),
        ({"least": 2}, "expected a mapping"),
        (3, "expected a mapping"),
    ],
)
def test_constraints_that_cannot_be(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Constraint.from_json(data)


def test_a_constraint_that_does_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="words"):
        Constraint("word")
    assert Constraint.from_json({"kind": "contains", "texts": ["a"]}) == Constraint("contains", texts=("a",))
