"""Drawing architectures: what is connected with what, and a picture of it as SVG."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.sax.saxutils import escape, quoteattr

from designgym.core.errors import InputError, shorten
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.components.base import Component

__all__ = ["Node", "draw_svg", "edges", "nodes"]

Place = tuple[int, int]

FONT_PX, LINE_PX = 12.0, 16.0
CELL_PX = 0.61 * FONT_PX  # a letter of a fixed width font takes 0.6 of its size
LINE_CELLS = 30
PAD_PX, GAP_PX, BETWEEN_LAYERS_PX, MARGIN_PX = 9.0, 14.0, 90.0, 20.0
TITLE_PX = 34.0
FILL = {"source": "#dcebfa", "mixer": "#dff3e0", "filter": "#fff4d6", "tests": "#eee8f6"}
INK, PALE, FAINT = "#1d2733", "#5b6773", "#aab4be"


@dataclass(frozen=True)
class Node:
    """A component in its place.

    Attributes:
        layer: Its layer, from 0.
        index: Its place in the layer, from 0.
        type: The name of its kind.
        role: What its kind does: source, mixer, filter or tests.
        model: The model that it asks; empty if it asks none.
        settings: Those that differ from the defaults.
        calls: Calls of models that a question takes here at most.
        candidates: Candidates that it leaves at most.
        note: What is to be told of it.
    """

    layer: int
    index: int
    type: str
    role: str
    model: str
    settings: Mapping[str, object]
    calls: int
    candidates: int
    note: str = ""


def nodes(architecture: Architecture, notes: Mapping[Place, str] = MappingProxyType({})) -> list[Node]:
    """Return the components of an architecture, layer by layer.

    Args:
        architecture: The architecture, legal or not.
        notes: What is to be told of a component, such as its cost, by its layer and place in the layer.

    Raises:
        InputError: If a note is for a place where no component is.
    """
    places = {(i, j) for i, layer in enumerate(architecture) for j in range(len(layer))}
    if unknown := [place for place in notes if place not in places]:
        raise InputError(
            f"a note is for {shorten(unknown[0])}, where no component is: expected a pair of layer and place in it, both from 0, of an "
            f"architecture with {', '.join(str(len(layer)) for layer in architecture)} components in its layers"
        )
    return [
        Node(
            i, j, component.type, component.kind.role, component.model, _unusual(component), work.calls, work.candidates,
            notes.get((i, j), ""),
        )
        for i, (layer, row) in enumerate(zip(architecture, architecture.work(), strict=True))
        for j, (component, work) in enumerate(zip(layer, row, strict=True))
    ]  # fmt: skip


def edges(architecture: Architecture) -> list[tuple[Place, Place]]:
    """Return what passes its candidates on to what: every component of a layer to every one of the next."""
    sizes = [len(layer) for layer in architecture]
    return [((i, a), (i + 1, b)) for i, size in enumerate(sizes[:-1]) for a in range(size) for b in range(sizes[i + 1])]


def draw_svg(architecture: Architecture, notes: Mapping[Place, str] = MappingProxyType({})) -> str:
    """Return a drawing: layers from left to right, a box for each component with its type, model, settings, work and note.

    Args:
        architecture: The architecture, legal or not.
        notes: As for `nodes`.

    Raises:
        InputError: As for `nodes`.
    """
    boxes = _laid_out(nodes(architecture, notes))
    right = max(box.x + box.width for box in boxes.values())
    bottom = max(box.y + box.height for box in boxes.values())
    height = bottom + MARGIN_PX
    middle = (TITLE_PX + bottom) / 2
    last = max(place[0] for place in boxes)
    start, end = (MARGIN_PX + 9 * CELL_PX, middle), (right + BETWEEN_LAYERS_PX, middle)
    lines = [_line(start, box.left) for place, box in boxes.items() if place[0] == 0]
    lines += [_line(boxes[a].right, boxes[b].left) for a, b in edges(architecture)]
    lines += [_line(box.right, end) for place, box in boxes.items() if place[0] == last]
    title = f"{architecture.name or 'architecture'}: at most {architecture.calls} calls a question"
    width = max(end[0] + 7 * CELL_PX, MARGIN_PX + _cells(title) * CELL_PX) + MARGIN_PX
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="{FONT_PX:g}" role="img" '
        f"aria-label={quoteattr(_clean(title))}>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        _text(MARGIN_PX, MARGIN_PX, title, PALE),
        *lines,
        _text(MARGIN_PX, middle + FONT_PX / 3, "question", INK),
        _text(end[0] + 5, middle + FONT_PX / 3, "answer", INK),
        *(part for box in boxes.values() for part in box.drawn()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True)
class _Box:
    """Where a node is drawn, in pixels, and its lines of text with their colours."""

    role: str
    x: float
    y: float
    width: float
    lines: tuple[tuple[str, str], ...]

    @property
    def height(self) -> float:
        return len(self.lines) * LINE_PX + 2 * PAD_PX

    @property
    def left(self) -> tuple[float, float]:
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        return self.x + self.width, self.y + self.height / 2

    def drawn(self) -> Iterator[str]:
        yield (
            f'<rect x="{self.x:.1f}" y="{self.y:.1f}" width="{self.width:.1f}" height="{self.height:.1f}" rx="5" '
            f'fill="{FILL[self.role]}" stroke="{FAINT}"/>'
        )
        for i, (text, colour) in enumerate(self.lines):
            weight = ' font-weight="600"' if i == 0 else ""
            yield _text(self.x + PAD_PX, self.y + PAD_PX + i * LINE_PX + FONT_PX, text, colour, weight)


def _laid_out(found: list[Node]) -> dict[Place, _Box]:
    """Return the box of each node: those of a layer below each other, each layer as wide as its longest line."""
    lines = {(node.layer, node.index): _lines(node) for node in found}
    columns = [[node for node in found if node.layer == i] for i in range(found[-1].layer + 1)]

    def height(column: list[Node]) -> float:
        return sum(len(lines[node.layer, node.index]) * LINE_PX + 2 * PAD_PX + GAP_PX for node in column) - GAP_PX

    tallest = max(map(height, columns))
    boxes: dict[Place, _Box] = {}
    x = MARGIN_PX + 9 * CELL_PX + BETWEEN_LAYERS_PX
    for column in columns:
        y = TITLE_PX + (tallest - height(column)) / 2
        width = max(_cells(text) for node in column for text, _ in lines[node.layer, node.index]) * CELL_PX + 2 * PAD_PX
        for node in column:
            box = _Box(node.role, x, y, width, lines[node.layer, node.index])
            boxes[node.layer, node.index] = box
            y += box.height + GAP_PX
        x += width + BETWEEN_LAYERS_PX
    return boxes


def _lines(node: Node) -> tuple[tuple[str, str], ...]:
    work = f"{node.calls} call{'s' * (node.calls != 1)}, {node.candidates} candidate{'s' * (node.candidates != 1)}"
    settings = ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in node.settings.items())
    written = ((node.type, INK), (node.model, INK), (settings, PALE), (work, PALE), (node.note, INK))
    return tuple((line, colour) for text, colour in written for line in _wrapped(text))


def _wrapped(text: str) -> list[str]:
    cleaned = " ".join(_clean(text).split())
    cells = LINE_CELLS if _cells(cleaned) == len(cleaned) else LINE_CELLS // 2
    return textwrap.wrap(cleaned, cells)


def _cells(text: str) -> int:
    """Return how many cells of a fixed width font a text takes at most."""
    return sum(1 if character.isascii() else 2 for character in text)


def _clean(text: str) -> str:
    """Return a text without what may not stand in XML."""
    return "".join(c if c in "\t\n" or (unicodedata.category(c) not in ("Cc", "Cs") and ord(c) & 0xFFFE != 0xFFFE) else " " for c in text)


def _unusual(component: Component) -> dict[str, object]:
    known = component.kind.all_settings
    return {name: value for name, value in component.settings.items() if value != known[name].default}


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{more} xml:space="preserve">{escape(_clean(text))}</text>'


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2
    return f'<path d="M{x0:.1f} {y0:.1f} C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}" fill="none" stroke="{FAINT}"/>'
