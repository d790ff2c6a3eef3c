"""The errors users meet. Each message names the value, what was expected and the remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

LIKE, ALIKE = 0.6, 0.8  # similarity (0 to 1) from which a name is suggested, and from which nothing else need be
FEW = 15  # so many names are all shown
MANY_SHOWN = 12  # of more


class DesignGymError(Exception):
    """Base of all errors raised on purpose; the command line prints them without a traceback."""


class InputError(DesignGymError, ValueError):
    """The user's input cannot be used (exit code 2 on the command line)."""


class UnknownNameError(InputError):
    """A name (environment, parameter, workload, searcher, option ...) that does not exist."""

    def __init__(self, kind: str, name: object, known: Iterable[str], hint: str = "") -> None:
        """Describe the unknown name and suggest the closest known ones.

        Args:
            kind: What was looked up, in words ("environment").
            name: The value seen.
            known: All names that would have worked.
            hint: A remedy appended to the message.
        """
        known = sorted(known)
        self.kind, self.name, self.known = kind, name, known
        close = difflib.get_close_matches(str(name), known, n=3, cutoff=LIKE)
        advice = f"did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
        sure = close and difflib.SequenceMatcher(None, close[0], str(name)).ratio() >= ALIKE
        if not close or (not sure and len(known) <= FEW):
            advice = f"{advice} known: {shorten_list(known)}".lstrip() if known else "none is known"
        super().__init__(f"unknown {kind} {name!r}: {advice}" + (f" {hint}" if hint else ""))

    def __reduce__(self) -> tuple[type, tuple[str, object, list[str]]]:
        """Pickle by the constructor's arguments, so that the error survives process borders."""
        return type(self), (self.kind, self.name, self.known)


class InvalidDesignError(InputError):
    """A design that its space refuses; lists all problems, not only the first."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Join all problems into one message."""
        self.problems = list(problems)
        super().__init__("invalid design: " + "; ".join(self.problems))

    def __reduce__(self) -> tuple[type, tuple[list[str]]]:
        """Pickle by the constructor's argument."""
        return type(self), (self.problems,)


class ExpressionError(InputError):
    """An expression that does not parse, uses a name that does not exist, or asks for more than is allowed."""


class StoreError(DesignGymError):
    """The store cannot be read or written (not ours, newer, read-only, disk full)."""


class EvaluationError(DesignGymError):
    """An evaluator broke its contract (wrong number of results, undeclared metric ...)."""


class NotInstalledError(DesignGymError):
    """An external program or an optional package is missing; the message says how to get it."""


def shorten_list(names: Sequence[str], limit: int = MANY_SHOWN) -> str:
    """Return the names joined by commas, with a count in place of those beyond ``limit``; a few more than that are all shown."""
    if len(names) <= limit + FEW - MANY_SHOWN:
        return ", ".join(map(str, names))
    return f"{', '.join(map(str, names[:limit]))}, ... ({len(names) - limit} more)"


def shorten(value: object, limit: int = 80) -> str:
    """Return ``repr(value)`` on one line, cut to ``limit`` characters, for messages."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of thousands of digits
        text = f"a {type(value).__name__} that is too long to write"
    text = re.sub(r"\s*\n\s*", " ", text)  # arrays and tables write several
    return text if len(text) <= limit else text[: limit - 3] + "..."
