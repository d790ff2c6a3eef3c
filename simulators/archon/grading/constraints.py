"""Instructions that a program can check, in the way of IFEval (Zhou et al. 2023, arXiv 2311.07911)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten

__all__ = ["CONSTRAINTS", "Constraint"]


@dataclass(frozen=True)
class Constraint:
    """An instruction that a text keeps to or not.

    Attributes:
        kind: One of `CONSTRAINTS`.
        least: Number that is needed at least, where the kind counts something.
        most: Number that is allowed at most.
        texts: Words, phrases or keys, where the kind is about some.
    """

    kind: str
    least: int = 0
    most: int = 0
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        object.__setattr__(self, "texts", tuple(self.texts))
        if self.kind not in CONSTRAINTS:
            raise UnknownNameError("constraint", self.kind, CONSTRAINTS)
        needs = CONSTRAINTS[self.kind]
        counted = all(isinstance(n, int) and not isinstance(n, bool) for n in (self.least, self.most))
        if needs.counts and not (counted and 0 <= self.least <= self.most and self.most > 0):
            raise InputError(
                f"constraint {self.kind!r} has least {shorten(self.least)} and most {shorten(self.most)}, expected whole numbers, the "
                "first no larger than the second"
            )
        if needs.texts and not (self.texts and all(isinstance(text, str) and text.strip() for text in self.texts)):
            raise InputError(f"constraint {self.kind!r} has texts {shorten(self.texts)}, expected a list of texts that are not empty")

    def holds(self, text: str) -> bool:
        """Return whether a text keeps to it."""
        return CONSTRAINTS[self.kind].holds(self, text.strip())

    def __str__(self) -> str:
        return CONSTRAINTS[self.kind].said(self)

    @classmethod
    def from_json(cls, data: Any) -> Constraint:
        """Return the constraint of a mapping of its attributes; raises `InputError` if it is none."""
        if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
            raise InputError(f"a constraint is {shorten(data)}, expected a mapping such as {{'kind': 'words', 'least': 20, 'most': 30}}")
        if unknown := set(data) - {"kind", "least", "most", "texts"}:
            raise InputError(f"a constraint has {shorten(sorted(unknown))}, expected kind, least, most and texts alone")
        texts = data.get("texts", [])
        if not isinstance(texts, list):
            raise InputError(f"texts of constraint {data['kind']!r} is {shorten(texts)}, expected a list of texts")
        return cls(data["kind"], data.get("least", 0), data.get("most", 0), tuple(texts))


@dataclass(frozen=True)
class _Kind:
    holds: Callable[[Constraint, str], bool]
    said: Callable[[Constraint], str]
    counts: bool = False
    texts: bool = False


def words(text: str) -> list[str]:
    """Return the words of a text: what stands between spaces and has a letter or digit."""
    return [part for part in text.split() if any(char.isalnum() for char in part)]


def sentences(text: str) -> list[str]:
    """Return the sentences of a text: they end with a point, question or exclamation mark that a space or the end follows."""
    return [part for part in re.split(r"(?<=[.!?])[\"')\]]*(?:\s+|\Z)", text) if any(char.isalnum() for char in part)]


def bullets(text: str) -> int:
    """Return how many lines are items of a list."""
    return len(re.findall(r"(?m)^[ \t]*[-*][ \t]+\S", text))


def times(text: str, phrase: str) -> int:
    """Return how often a word or phrase stands in a text, whatever its case; not as a part of a longer word."""
    return len(re.findall(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, flags=re.IGNORECASE))


def json_in(text: str) -> Any:
    """Return the JSON that a text is, which may be in a fenced block; None if it is none."""
    fenced = re.fullmatch(r"```(?:json)?\s*\n(.*?)\n?```", text, flags=re.DOTALL)
    try:
        return json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None


def _between(constraint: Constraint, number: int) -> bool:
    return constraint.least <= number <= constraint.most


def _amount(constraint: Constraint, one: str, many: str) -> str:
    if constraint.least == constraint.most:
        return f"exactly {constraint.least} {one if constraint.least == 1 else many}"
    return f"from {constraint.least} to {constraint.most} {many}" if constraint.least else f"at most {constraint.most} {many}"


def _quoted(constraint: Constraint) -> str:
    return ", ".join(f'"{text}"' for text in constraint.texts)


def _has_keys(constraint: Constraint, text: str) -> bool:
    found = json_in(text)
    return isinstance(found, dict) and set(found) == set(constraint.texts)


CONSTRAINTS: dict[str, _Kind] = {
    "words": _Kind(
        lambda c, t: _between(c, len(words(t))), lambda c: f"Use {_amount(c, 'word', 'words')}.", counts=True),
    "sentences": _Kind(
        lambda c, t: _between(c, len(sentences(t))), lambda c: f"Write {_amount(c, 'sentence', 'sentences')}.", counts=True),
    "paragraphs": _Kind(
        lambda c, t: _between(c, len(re.findall(r"\S[\s\S]*?(?=\n[ \t]*\n|\Z)", t))),
        lambda c: f"Write {_amount(c, 'paragraph', 'paragraphs')}, with an empty line between paragraphs.", counts=True),
    "bullets": _Kind(
        lambda c, t: _between(c, bullets(t)),
        lambda c: f"Write a list with {_amount(c, 'item', 'items')}, each on a line that begins with '- '.", counts=True),
    "contains": _Kind(
        lambda c, t: all(times(t, text) for text in c.texts), lambda c: f"Use each of these: {_quoted(c)}.", texts=True),
    "repeats": _Kind(
        lambda c, t: all(_between(c, times(t, text)) for text in c.texts),
        lambda c: f"Use {_quoted(c)} {_amount(c, 'time', 'times')}.", counts=True, texts=True),
    "lacks": _Kind(
        lambda c, t: not any(times(t, text) for text in c.texts), lambda c: f"Use none of these: {_quoted(c)}.", texts=True),
    "lacks_sign": _Kind(
        lambda c, t: not any(text in t for text in c.texts), lambda c: f"Do not use these signs: {_quoted(c)}.", texts=True),
    "starts_with": _Kind(
        lambda c, t: t.startswith(c.texts[0]), lambda c: f'Begin with exactly "{c.texts[0]}".', texts=True),
    "ends_with": _Kind(
        lambda c, t: t.endswith(c.texts[0]), lambda c: f'End with exactly "{c.texts[0]}" and nothing after it.', texts=True),
    "lower_case": _Kind(
        lambda c, t: t == t.lower() and any(map(str.isalpha, t)), lambda c: "Use lower case letters alone, no capitals."),
    "upper_case": _Kind(
        lambda c, t: t == t.upper() and any(map(str.isalpha, t)), lambda c: "Use capital letters alone."),
    "json_keys": _Kind(
        _has_keys, lambda c: f"Answer with a JSON object alone, which has exactly these keys: {_quoted(c)}.", texts=True),
}  # fmt: skip
"""Every kind of constraint."""
