"""What a conformance kit found, collected so that one run reports everything that is broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

    @contextmanager
    def no_exception(self, doing: str) -> Iterator[None]:
        """Note an exception that ends the block, which has no business raising one."""
        try:
            yield
        except Exception as error:
            self.check(False, f"{doing} must not raise", f"{type(error).__name__}: {error}")

    def finish(self) -> None:
        """Raise `ConformanceError` if anything was found."""
        if self._by_law:
            raise ConformanceError(self.subject, list(self._by_law.values()))
