import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.studies.cli.design_files import DesignFile

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=4)


@given(st.lists(OBJECTS, min_size=1, max_size=5), st.sampled_from(["array", "indented array", "lines"]), st.booleans())
def test_what_json_writes_is_read_back(designs: list[dict[str, Any]], form: str, ascii_only: bool) -> None:
    if form == "lines":
        text = "\n".join(json.dumps(design, ensure_ascii=ascii_only) for design in designs)
    else:
        text = json.dumps(designs, indent=2 if "indented" in form else None, ensure_ascii=ascii_only)
    file = DesignFile("file", text)
    assert [value for _, value in file] == designs
    assert [value for _, value in file] == designs  # a second time


@given(st.text(alphabet='{}[],:" \n1eN-.ax\\', min_size=1, max_size=30))
def test_any_text_is_read_or_refused_with_the_files_name(text: str) -> None:
    if not text.strip():
        return
    try:
        values = list(DesignFile("the file", text))
    except InputError as error:
        assert str(error).startswith("the file")
    else:
        assert values or text.strip()[0] == "["


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"a": 1}', ["the only design"]),
        ('[{"a": 1}, {"a": 2}]', ["element 1", "element 2"]),
        ('\n{"a": 1}\n\n{"a": 2}', ["line 2", "line 4"]),
    ],
)
def test_places(text: str, places: list[str]) -> None:
    assert [place for place, _ in DesignFile("file", text)] == places
