"""What was asked and paid: a line for each call of a model, and sums of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Account", "Entry"]


@dataclass(frozen=True)
class Entry:
    """A call, as a component made it.

    Attributes:
        layer: Its layer, from 0.
        component: Which of the layer, from 0.
        type: Its kind.
        model: The model asked.
        key: What the answer is known by.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
        usd: What the call costs by the price table, whether it was paid now or earlier.
        latency_s: Seconds that it takes if the answer is not known already.
        saved: Whether the answer was known, so that nothing was paid.
        error: Why there is no answer; empty if there is.
    """

    layer: int
    component: int
    type: str
    model: str
    key: str
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    latency_s: float = 0.0
    saved: bool = False
    error: str = ""


@dataclass(frozen=True)
class Account:
    """Sums over calls.

    Attributes:
        calls: Calls, paid or known.
        calls_saved: Those whose answer was known.
        calls_failed: Those without an answer.
        input_tokens: Tokens read, as if nothing had been known.
        output_tokens: Tokens written, as if nothing had been known.
        usd: What all calls cost, as if nothing had been known.
        usd_paid: What was paid now.
    """

    calls: int = 0
    calls_saved: int = 0
    calls_failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    usd_paid: float = 0.0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Account:
        """Return the sums of calls."""
        found = sorted(entries, key=lambda e: (e.layer, e.component, e.key))  # sums must not depend on who was first
        return cls(
            calls=len(found),
            calls_saved=sum(entry.saved for entry in found),
            calls_failed=sum(bool(entry.error) for entry in found),
            input_tokens=sum(entry.input_tokens for entry in found),
            output_tokens=sum(entry.output_tokens for entry in found),
            usd=sum(entry.usd for entry in found),
            usd_paid=sum(entry.usd for entry in found if not entry.saved),
        )
