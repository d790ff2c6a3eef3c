"""Drawings: everything in its place, nothing over anything else, well-formed whatever names hold."""

import re
from itertools import combinations
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.drawing import Node, draw_svg, edges, nodes
from tests.simulators.archon.scripted import one
from tests.simulators.archon.test_architecture import architectures

SVG = "{http://www.w3.org/2000/svg}"
LONG = "organisation/a-model-with-a-rather-long-name-of-70B-parameters-instruct-v0.3"


class Rectangle(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Rectangle") -> bool:
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def within(self, other: "Rectangle") -> bool:
        return other.left <= self.left and self.right <= other.right and other.top <= self.top and self.bottom <= other.bottom


def drawn(svg: str) -> tuple[Rectangle, list[Rectangle], list[tuple[str, Rectangle]]]:
    """Return the whole, the boxes and the texts of a drawing, a text as large as a font of fixed width makes it."""
    root = ElementTree.fromstring(svg)
    whole, *boxes = (
        Rectangle(x, y, x + float(r.get("width", "")), y + float(r.get("height", "")))
        for r in root.iter(f"{SVG}rect")
        for x, y in [(float(r.get("x", "0")), float(r.get("y", "0")))]
    )
    size = float(root.get("font-size", ""))
    found = []
    for text in root.iter(f"{SVG}text"):
        content, x, y = text.text or "", float(text.get("x", "")), float(text.get("y", ""))
        width = sum(0.6 if c.isascii() else 1.2 for c in content) * size
        found.append((content, Rectangle(x, y - 0.8 * size, x + width, y + 0.25 * size)))
    return whole, boxes, found


def check(architecture: Architecture, svg: str) -> None:
    whole, boxes, written = drawn(svg)
    assert len(boxes) == sum(map(len, architecture))
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert not any(a.overlaps(b) for (_, a), (_, b) in combinations(written, 2))
    assert all(rectangle.within(whole) for rectangle in [*boxes, *(place for _, place in written)])
    for _, place in written[3:]:  # after the title, the question and the answer
        assert sum(place.within(box) for box in boxes) == 1
    ends = len(architecture.layers[0]) + len(architecture.layers[-1])
    assert len(re.findall("<path ", svg)) == len(edges(architecture)) + ends


@settings(max_examples=40, deadline=None)
@given(architectures())
def test_nothing_lies_over_anything_else(architecture: Architecture) -> None:
    check(architecture, draw_svg(architecture))


def test_ten_components_a_layer_with_long_names_and_notes() -> None:
    ten = [one("generator", f"{LONG}-{i}", samples=i + 1, temperature=0.1 * i, top_p=0.9) for i in range(10)]
    architecture = Architecture.of(ten, one("critic", LONG), one("ranker", LONG), [one("fuser", LONG)] * 10, one("majority", ""))
    notes = {(0, j): f"$0.00{j} a question, {j} of {j + 1} calls failed since the endpoint was busy" for j in range(10)} | {(3, 2): "here"}
    svg = draw_svg(architecture, notes)
    check(architecture, svg)
    _, _, written = drawn(svg)
    together = " ".join(text for text, _ in written)
    assert "$0.009 a question" in together and together.count("here") == 1 and "10 calls, 10 candidates" in together
    assert "temperature=0.3, top_p=0.9, samples=4" in together and "0 calls, 1 candidate" in together


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=200))
def test_any_names_and_notes_are_drawn(name: str, model: str, note: str) -> None:
    architecture = Architecture.of(one("generator", model + "m"), one("fuser", "<&\">'"), name=name)
    check(architecture, draw_svg(architecture, {(0, 0): note}))


def test_nodes_and_edges_say_what_is_drawn() -> None:
    architecture = Architecture.of([one("generator", "a", samples=3), one("generator", "b")], one("ranker", top_k=2), one("fuser"))
    assert nodes(architecture, {(1, 0): "slow"})[::2] == [
        Node(0, 0, "generator", "source", "a", {"samples": 3}, 3, 3),
        Node(1, 0, "ranker", "filter", "m", {"top_k": 2}, 1, 2, "slow"),
    ]
    assert edges(architecture) == [((0, 0), (1, 0)), ((0, 1), (1, 0)), ((1, 0), (2, 0))]
    assert sum(node.calls for node in nodes(architecture)) == architecture.calls


@pytest.mark.parametrize("place", [(0, 1), (2, 0), (-1, 0), "0"])
def test_a_note_for_nobody_is_an_error(place: object) -> None:
    with pytest.raises(InputError, match=r"a note is for .*, where no component is: .* with 1, 1 components in its layers"):
        draw_svg(Architecture.of(one("generator"), one("fuser")), {place: "x"})  # type: ignore[dict-item]
