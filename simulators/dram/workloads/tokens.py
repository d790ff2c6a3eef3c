"""Splits a text of short words into numbers with array operations, so that a million lines take well under a second.

Nothing here explains what is wrong with a text: whatever is not exactly as expected gives None, and the caller then
reads line by line to find and name the first bad line.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_PAD = 32  # zero bytes after the text, so that reading past the last word stays inside the array
_SPACE = np.zeros(256, dtype=np.bool_)
_SPACE[[0, 9, 10, 13, 32]] = True
_DIGIT = np.full(256, 255, dtype=np.uint8)  # value of a hexadecimal digit, 255 for any other character
_DIGIT[ord("0") : ord("9") + 1] = np.arange(10)
_DIGIT[ord("a") : ord("f") + 1] = _DIGIT[ord("A") : ord("F") + 1] = np.arange(10, 16)


@dataclass(frozen=True)
class Column:
    """One word of every line.

    Attributes:
        text: The whole text as bytes, padded at the end.
        starts: Where each word starts, shape (lines,).
        lengths: Length of each word in bytes, shape (lines,).
    """

    text: Bytes
    starts: Ints
    lengths: Ints

    def without_suffix(self, character: str) -> "Column":
        """Return the words without one such character at their end, if they have it."""
        ends = self.text[self.starts + self.lengths - 1] == ord(character)
        return Column(self.text, self.starts, self.lengths - ends)

    def matches(self, *words: str) -> list[NDArray[np.bool_]] | None:
        """Return which entries equal each of the words, or None if an entry equals none of them. Case counts."""
        found = []
        for word in words:
            same = self.lengths == len(word)
            for i, character in enumerate(word):
                same &= self.text[self.starts + i] == ord(character)
            found.append(same)
        return found if bool(np.logical_or.reduce(found).all()) else None

    def is_hexadecimal(self) -> NDArray[np.bool_]:
        """Return which words start with 0x."""
        second = self.text[self.starts + 1] | 0x20  # lower case
        return (self.lengths > 2) & (self.text[self.starts] == ord("0")) & (second == ord("x"))

    def where(self, chosen: NDArray[np.bool_]) -> "Column":
        """Return only the chosen words."""
        return Column(self.text, self.starts[chosen], self.lengths[chosen])

    def decimals(self) -> Ints | None:
        """Return the words as whole decimal numbers of up to 18 digits."""
        return self._digits(10, 18)

    def hexadecimals(self) -> Ints | None:
        """Return the words as hexadecimal numbers of up to 16 digits, with or without 0x, clipped to int64."""
        prefix = 2 * self.is_hexadecimal()
        return Column(self.text, self.starts + prefix, self.lengths - prefix)._digits(16, 16)

    def addresses(self) -> Ints | None:
        """Return the words as numbers, hexadecimal where they start with 0x, else decimal."""
        in_hex = self.is_hexadecimal()
        values = np.empty(self.starts.size, dtype=np.int64)
        for chosen, parsed in (
            (in_hex, self.where(in_hex).hexadecimals()),
            (~in_hex, self.where(~in_hex).decimals()),
        ):
            if parsed is None:
                return None
            values[chosen] = parsed
        return values

    def floats(self) -> NDArray[np.float64] | None:
        """Return the words as decimal fractions."""
        widest = int(self.lengths.max(initial=1))
        if widest > _PAD:
            return None
        offsets = np.arange(widest)
        letters = self.text[self.starts[:, None] + offsets]
        letters[offsets >= self.lengths[:, None]] = 0
        try:
            values = letters.view(f"S{widest}").ravel().astype(np.float64)
        except ValueError:
            return None
        return values if bool(np.isfinite(values).all()) else None

    def _digits(self, base: int, most: int) -> Ints | None:
        widest = int(self.lengths.max(initial=1))
        if widest > most or int(self.lengths.min(initial=1)) < 1:
            return None
        values = np.zeros(self.starts.size, dtype=np.uint64)
        for i in range(widest):
            inside = i < self.lengths
            digits = _DIGIT[self.text[self.starts + i]]
            if bool((inside & (digits >= base)).any()):
                return None
            values = np.where(inside, values * np.uint64(base) + digits, values)
        return np.minimum(values, np.uint64(np.iinfo(np.int64).max)).astype(np.int64)


def split_columns(text: bytes, columns: int) -> tuple[list[Column], Ints] | None:
    """Split a text into lines of exactly so many words; blank lines are skipped.

    Args:
        text: The text; words are separated by spaces, tabs or carriage returns.
        columns: Words that every line must have.

    Returns:
        The columns and the number of each line (from 1), shape (lines,), or None if a line has another number of words.
    """
    letters = np.frombuffer(text + bytes(_PAD), dtype=np.uint8)
    space = _SPACE[letters]
    edges = np.flatnonzero(space[1:] != space[:-1]) + 1
    if not space[0]:
        edges = np.concatenate(([0], edges))
    starts, ends = edges[0::2].astype(np.int64), edges[1::2].astype(np.int64)  # the padding ends the last word
    if starts.size % columns:
        return None
    line_of = np.cumsum(letters == 10, dtype=np.int64)[starts] + 1
    table = line_of.reshape(-1, columns)
    if bool((table != table[:, :1]).any()) or bool((np.diff(table[:, 0]) == 0).any()):
        return None
    found = [Column(letters, starts[i::columns], (ends - starts)[i::columns]) for i in range(columns)]
    return found, table[:, 0]
