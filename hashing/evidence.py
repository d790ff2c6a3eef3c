"""`Evidence`: what audits found out about the fingerprints of a search, read from the state that is stored with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from designgym.hashing.fingerprints import SWITCHED_OFF, upper_bound

COUNTS = ("probes", "hits", "served", "audits", "false_merges")


@dataclass(frozen=True)
class Evidence:
    """How often fingerprints were asked for, believed, checked, and wrong.

    Attributes:
        probes: Designs probed.
        hits: Functional hits, whether they were served or measured to check.
        served: Functional hits whose result was served.
        audits: Functional hits that were measured to check.
        false_merges: Audits that found other metrics than would have been served.
        trusted: Whether fingerprints are still believed.
        stopped_because: Why no more designs are probed, in words; empty while they are.
    """

    probes: int = 0
    hits: int = 0
    served: int = 0
    audits: int = 0
    false_merges: int = 0
    trusted: bool = True
    stopped_because: str = ""

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Evidence:
        """Return the evidence in an `AuditedFingerprints.state`."""
        return cls(**{name: int(state[f"_{name}"]) for name in COUNTS}, trusted=state["_trusted"], stopped_because=state["reason"])

    @classmethod
    def total(cls, parts: Iterable[Evidence]) -> Evidence:
        """Return that of several searches with one probe; those that were to make none count for nothing.

        The reason is the first one given, distrust before others.
        """
        every = list(parts)
        parts = [part for part in every if part.wanted] or every
        reasons = [part.stopped_because for part in sorted(parts, key=lambda part: part.trusted) if part.stopped_because]
        return cls(
            **{name: sum(getattr(part, name) for part in parts) for name in COUNTS},
            trusted=all(part.trusted for part in parts), stopped_because=reasons[0] if reasons else "",
        )  # fmt: skip

    @property
    def upper_95(self) -> float:
        """The 95 % upper bound of the rate of false merges among functional hits; 1 if none was audited."""
        return upper_bound(self.false_merges, self.audits)

    @property
    def wanted(self) -> bool:
        """Whether fingerprints were switched on, so that there is something to tell."""
        return self.stopped_because != SWITCHED_OFF

    def to_json(self) -> dict[str, Any]:
        """Return the evidence as JSON data."""
        return {
            **{name: getattr(self, name) for name in COUNTS},
            "false_merge_upper_95": self.upper_95, "trusted": self.trusted, "stopped_because": self.stopped_because,
        }  # fmt: skip

    def words(self) -> str:
        """Return the counts in a sentence."""
        if not self.audits:
            return f"{self.probes:,} designs probed, {self.hits:,} functional hits, none audited"
        return (
            f"{self.probes:,} designs probed, {self.hits:,} functional hits, {self.audits:,} of them audited: {self.false_merges:,} false "
            f"merges, a rate of at most {100 * self.upper_95:.3g} % with 95 % confidence"
        )
