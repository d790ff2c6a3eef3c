"""What a conformance kit found, collected so that one run reports everything that is broken."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

LIMIT = 20  # findings listed; a broken thing often breaks the same law for every design


class ConformanceError(AssertionError):
    """Something does not keep its contract; `findings` lists what, one sentence each."""

    def __init__(self, subject: str, findings: list[str]) -> None:
        self.subject, self.findings = subject, findings
        shown = findings[:LIMIT] + ([f"... and {len(findings) - LIMIT} more"] if len(findings) > LIMIT else [])
        super().__init__(f"{subject} breaks its contract:\n" + "\n".join(f"  - {finding}" for finding in shown))

    def __reduce__(self) -> tuple[type, tuple[str, list[str]]]:
        return type(self), (self.subject, self.findings)


class Findings:
    """Collects sentences; each law is reported once, with the first example that breaks it."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self._by_law: dict[str, str] = {}

    def check(self, holds: object, law: str, example: object = None) -> bool:
        """Note that ``law`` is broken unless ``holds``; ``example`` shows how."""
        if not holds:
            self._by_law.setdefault(law, f"{law}: {example}" if example is not None else law)
        return bool(holds)

    @property
    def sentences(self) -> list[str]:
        """What was found, one sentence per broken law."""
        return list(self._by_law.values())

    @contextmanager
    def no_exception(self, doing: str, example: object = None) -> Iterator[None]:
        """Note an exception that ends the block, which has no business raising one; ``example`` says where it did.

        An end of the process that is asked for (`SystemExit`) counts: a kit reports on all of a thing, whatever it does.
        """
        try:
            yield
        except Abandoned:
            raise
        except (Exception, SystemExit) as error:
            law = f"{doing} must not raise"
            text = f"{law}: {type(error).__name__}: {error}" + (f", for {example!r}" if example is not None else "")
            self._by_law.setdefault(f"{law} {type(error).__name__}", text)

    @contextmanager
    def global_random_kept(self, doing: str) -> Iterator[None]:
        """Note a change of the states that all code of a process draws from: what one part seeds, another one repeats."""
        states = random.getstate(), np.random.get_state(legacy=True)
        random.random()
        np.random.random_sample()  # the states may be those that the block seeds
        before = _global_random()
        try:
            yield
            after = _global_random()
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
        for library, here, there in zip(("random", "np.random"), before, after, strict=True):
            law = f"{doing} must leave the global state of {library} alone, and draw from a generator of its own"
            self.check(here == there, law, "such as np.random.default_rng(seed)")

    def finish(self) -> None:
        """Raise `ConformanceError` if anything was found."""
        if self._by_law:
            raise ConformanceError(self.subject, self.sentences)


class Abandoned(Exception):
    """What was found makes further checks meaningless: they would only report its consequences."""


def _global_random() -> tuple[object, object]:
    """Return the states of Python's and NumPy's global generators, to be compared."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    return random.getstate(), (kind, np.asarray(keys).tobytes(), *rest)
