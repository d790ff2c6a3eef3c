"""Reading designs from JSON: one object, an array, or JSON lines; strictly, with errors that name the place."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designgym.core.design import Design
from designgym.core.errors import InputError, InvalidDesignError, shorten
from designgym.core.space import DesignSpace

MAX_EXPLAINED = 50  # invalid designs whose problems are all printed; of further ones the position is

_SPACE = re.compile(r"\s*")


class NotFiniteError(ValueError):
    """A number in JSON that is not finite."""


def parse_json(text: str) -> Any:
    """Return the value of strict JSON.

    Raises:
        NotFiniteError: For ``NaN``, an infinity, or a number too large for one.
        ValueError: For anything else that is not JSON, or an object with a name twice.
    """
    return _DECODER.decode(text)


@dataclass(frozen=True)
class DesignFile:
    """The designs of a file, parsed anew each time they are iterated: only the text is held, so that large files fit.

    Attributes:
        name: The file as named in messages.
        text: Its content.
    """

    name: str
    text: str

    @classmethod
    def read(cls, path: str) -> DesignFile:
        """Return the content of a file, or of standard input for ``-``.

        Raises:
            InputError: If it cannot be read, is not UTF-8, or is empty.
        """
        name = "standard input" if path == "-" else path
        try:
            data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read designs from {name}: {error.strerror or error}; give a file of JSON, or - for standard input"
            ) from None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise InputError(f"{name} line {line}: not UTF-8 text; expected designs in JSON") from None
        if not text.strip():
            raise InputError(f"{name} is empty: expected designs, as one JSON object, an array of objects, or JSON lines")
        return cls(name, text)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield ``(place, value)`` for each design, the place in words ("line 3", "element 2, line 5").

        Raises:
            InputError: At the first thing that is not strict JSON, naming the place.
        """
        start = _skip(self.text, 0)
        if self.text[start] == "[":
            yield from self._array(start)
        elif self._is_lines():
            for number, line in enumerate(self.text.split("\n"), 1):
                if line.strip():
                    yield f"line {number}", self._whole(line, number)
        else:
            yield "the only design", self._whole(self.text, 1)

    def validate(self, space: DesignSpace) -> tuple[Iterator[Design], int]:
        """Return the designs of a space and their number; all are checked before the first is returned.

        Raises:
            InputError: For JSON that is not strict, or listing every problem of every invalid design with its place.
        """
        total = 0
        problems: list[str] = []
        further: list[str] = []
        for place, value in self:
            total += 1
            try:
                space.validate(value)
            except InvalidDesignError as error:
                if len(problems) < MAX_EXPLAINED:
                    problems.append(f"{place}: {'; '.join(error.problems)}")
                else:
                    further.append(place)
        if not total:
            raise InputError(f"{self.name} holds no design: expected one JSON object, an array of objects, or JSON lines")
        if problems:
            count = f"{len(problems) + len(further)} of {total} designs" if total > 1 else "the design"
            rest = f" | and {len(further)} more: {', '.join(further)}" if further else ""
            raise InputError(f"{self.name}: {count} cannot be used, nothing was evaluated\n{' | '.join(problems)}{rest}")
        return (space.validate(value) for _, value in self), total

    def _is_lines(self) -> bool:
        """Return whether the first line that is not blank is a complete JSON value with more after it."""
        first, _, rest = self.text.strip().partition("\n")
        try:
            _DECODER.decode(first)
        except (ValueError, RecursionError):
            # a broken first line of what otherwise looks like JSON lines: several lines that each begin an object
            return sum(line.startswith("{") for line in self.text.splitlines()) > 1
        return bool(rest.strip())

    def _whole(self, text: str, line: int) -> Any:
        try:
            value = _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            raise self._error(error, line) from None
        return value

    def _array(self, start: int) -> Iterator[tuple[str, Any]]:
        text, position, number, line, counted = self.text, _skip(self.text, start + 1), 0, 1, 0
        if text[position : position + 1] == "]":
            position += 1
        else:
            while True:
                number += 1
                line, counted = line + text.count("\n", counted, position), position
                try:
                    value, position = _DECODER.raw_decode(text, position)
                except StopIteration:
                    raise InputError(f"{self.name} line {line}: element {number} is missing: expected an object") from None
                except (ValueError, RecursionError) as error:
                    raise self._error(error, line, f"element {number}, ") from None
                yield f"element {number}", value
                position = _skip(text, position)
                separator = text[position : position + 1]
                position = _skip(text, position + 1)
                if separator == "]":
                    break
                if separator != ",":
                    raise InputError(f"{self.name}: expected ',' or ']' after element {number}, got {separator or 'the end of the file'!r}")
        if rest := text[position:].strip():
            raise InputError(f"{self.name}: unexpected text after the array: {shorten(rest, 40)}")

    def _error(self, error: Exception, line: int, element: str = "") -> InputError:
        if isinstance(error, json.JSONDecodeError):
            reached = error.doc.count("\n", 0, error.pos) + 1
            line = reached if element else line + reached - 1  # an array is decoded in place, a line on its own
            return InputError(f"{self.name} {element}line {line}, column {error.colno}: not JSON: {error.msg}")
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return InputError(f"{self.name} {element}line {line}: {reason}")


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"{name!r} is given twice, as {shorten(result[name])} and {shorten(value)}: keep one")
        result[name] = value
    return result


def _no_constant(text: str) -> Any:
    raise NotFiniteError(f"{text} is not a number in JSON: expected a finite number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotFiniteError(f"{text} is too large: expected a finite number")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
