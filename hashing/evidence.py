"""`Evidence`: what audits found out about the fingerprints of a search, read from the state that is stored with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from designgym.hashing.fingerprints import SWITCHED_OFF, upper_bound

COUNTS = ("probes", "hits", "served", "audits", "false_merges", "doubted")
IN_DOUBT = "in doubt: a false merge was found, and every functional hit is measured until the bound is below the limit"


@dataclass(frozen=True)
class Evidence:
    """How often fingerprints were asked for, believed, checked, and wrong.

    Attributes:
        probes: Designs probed.
        hits: Functional hits, whether they were served or measured to check.
        served: Functional hits whose result was served.
        audits: Functional hits that were measured to check.
        false_merges: Audits that found other metrics than would have been served.
        doubted: Audits that were made for doubt alone.
        trusted: Whether fingerprints are still believed.
        stopped_because: Why no more designs are probed, in words; empty while they are.
        in_doubt: Whether a false merge was seen and the bound is above the limit, so that nothing is served for the moment.
    """

    probes: int = 0
    hits: int = 0
    served: int = 0
    audits: int = 0
    false_merges: int = 0
    doubted: int = 0
    trusted: bool = True
    stopped_because: str = ""
    in_doubt: bool = False

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Evidence:
        """Return the evidence in an `AuditedFingerprints.state`; earlier versions stopped at the first doubt, and knew none."""
        return cls(
            **{name: int(state.get(f"_{name}", 0)) for name in COUNTS},
            trusted=state["_trusted"], stopped_because=state["reason"], in_doubt=state.get("in_doubt", False),
        )  # fmt: skip

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
            in_doubt=any(part.in_doubt for part in parts),
        )  # fmt: skip

    @property
    def upper_95(self) -> float:
        """The 95 % upper bound of the rate of false merges among functional hits; 1 if none was audited."""
        return upper_bound(self.false_merges, self.audits)

    @property
    def remark(self) -> str:
        """Why nothing is served on the word of fingerprints, any more or for the moment; empty where that is done."""
        return self.stopped_because or (IN_DOUBT if self.in_doubt else "")

    @property
    def wanted(self) -> bool:
        """Whether fingerprints were switched on, so that there is something to tell."""
        return self.stopped_because != SWITCHED_OFF

    def to_json(self) -> dict[str, Any]:
        """Return the evidence as JSON data."""
        return {
            **{name: getattr(self, name) for name in COUNTS},
            "false_merge_upper_95": self.upper_95, "trusted": self.trusted, "in_doubt": self.in_doubt,
            "stopped_because": self.stopped_because,
        }  # fmt: skip

    def words(self) -> str:
        """Return the counts in a sentence."""
        if not self.audits:
            return f"{self.probes:,} designs probed, {self.hits:,} functional hits, none audited"
        return (
            f"{self.probes:,} designs probed, {self.hits:,} functional hits, {self.audits:,} of them audited: {self.false_merges:,} false "
            f"merges, a rate of at most {100 * self.upper_95:.3g} % with 95 % confidence"
            + (f"; {self.doubted:,} audits were made because of doubt" if self.doubted else "")
        )
