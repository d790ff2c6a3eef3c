"""`AuditedFingerprints`: probe for as long as probing pays, and believe fingerprints for as long as measurements confirm them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Literal, get_args

from blake3 import blake3

from designgym.core.errors import InputError, shorten

Mode = Literal["auto", "on", "off"]
Verdict = Literal["serve", "audit", "ignore"]

FIRST_AUDITS = 10  # the first functional hits are all audited: a probe that is bad in general is caught before it does harm
TRIAL_PROBES = 32  # probes that are spent to find out whether probing pays
EARLY_PROBES = 8  # from so many on, probes dearer than measurements end the trial early
CONFIDENCE = 0.95
SWITCHED_OFF = "fingerprints are switched off"

log = logging.getLogger("designgym.hashing")


def check_mode(mode: object) -> None:
    """Raise `InputError` if ``mode`` is not a `Mode`."""
    if mode not in get_args(Mode):
        raise InputError(f"got functional={shorten(mode)}, expected 'auto', 'on' or 'off'")


class AuditedFingerprints:
    """Measured economics and audited trust of functional keys (a `FingerprintPolicy`); safe to share between threads.

    Economics (``auto``): with mean probe time p, mean measured time m, and h functional hits so far (less the false merges), probing
    goes on while ``h m (1 - audit_share) + 32 p`` covers the time spent on probes. So probes cost a search at most 32 probes more than
    they are worth to it. Probing also ends once 8 probes have shown that p > m. The first call of each kind is no evidence, since it
    may include compilation. A decision to stop is final.

    Trust: the first 10 hits and then ``audit_share`` of all hits, chosen by a hash of the canonical key, are measured all the same.
    Fingerprints are no longer trusted when a false merge was seen and the 95 % upper bound of their rate (Clopper-Pearson, one-sided)
    exceeds ``false_merge_limit``; a single key that merged falsely is ignored from then on in any case.

    Args:
        mode: ``auto``; ``on`` (probe always; trust is still audited); ``off``.
        audit_share: Share of functional hits that are measured to check.
        false_merge_limit: Largest rate of false merges among functional hits that a study accepts.

    Attributes:
        reason: Why there is no (more) probing, in words; empty while there is.

    Raises:
        InputError: For an argument outside its range.
    """

    def __init__(self, mode: Mode = "auto", *, audit_share: float = 0.1, false_merge_limit: float = 0.05) -> None:
        check_mode(mode)
        for name, value in (("audit_share", audit_share), ("false_merge_limit", false_merge_limit)):
            if not 0 <= value <= 1:
                raise InputError(f"{name} must be in [0, 1], got {value!r}")
        self.mode, self.audit_share, self.false_merge_limit = mode, audit_share, false_merge_limit
        self.reason = SWITCHED_OFF if mode == "off" else ""
        self._lock = threading.Lock()
        self._trusted = True
        self._bad: set[str] = set()
        self._probes = self._measured = self._hits = self._served = self._audits = self._false_merges = 0
        self._probe_s = self._measure_s = 0.0
        self._warm_up: dict[str, float] = {"probes": 0, "probe_s": 0.0, "measured": 0, "measure_s": 0.0}

    # ---- the protocol --------------------------------------------------------------------------------------------------

    def wants_probes(self, count: int) -> int:
        """Return how many of ``count`` designs to probe now."""
        with self._lock:
            if self.reason or count <= 0:
                return 0
            if self.mode == "on":
                return count
            if not self._probes:
                return 1  # the warm-up
            mean_s = self._mean_probe_s()
            left_s = self._worth_s() + TRIAL_PROBES * mean_s - self._spent_s()
            return max(min(count, int(left_s / mean_s + 1e-9) if mean_s else count), 0)

    def probed(self, count: int, seconds: float) -> None:
        """Note the time that functional keys of ``count`` designs took; those of designs that were probed before take none."""
        with self._lock:
            if not self._probes:
                self._warm_up |= {"probes": count, "probe_s": seconds}
            self._probes += count
            self._probe_s += seconds
            self._judge_economy()

    def measured(self, count: int, seconds: float) -> None:
        """Note the time of measuring ``count`` designs."""
        with self._lock:
            if not self._measured:
                self._warm_up |= {"measured": count, "measure_s": seconds}
            self._measured += count
            self._measure_s += seconds
            self._judge_economy()

    def verdict(self, functional_key: str, canonical_key: str) -> Verdict:
        """Return what to do with a functional hit."""
        with self._lock:
            if self.mode == "off" or not self._trusted or functional_key in self._bad:
                return "ignore"
            self._hits += 1
            if self._hits <= FIRST_AUDITS or _uniform(canonical_key) < self.audit_share:
                return "audit"
            self._served += 1
            return "serve"

    def audited(self, functional_key: str, agreed: bool) -> None:
        """Note whether an audited measurement agreed with what would have been served."""
        with self._lock:
            self._audits += 1
            if not agreed:
                self._false_merges += 1
                self._bad.add(functional_key)
            bound = upper_bound(self._false_merges, self._audits)
            if self._trusted and self._false_merges and bound > self.false_merge_limit:
                self._trusted = False
                self._stop(
                    f"fingerprints are not trusted: {self._false_merges} of {self._audits} audited functional hits merged designs with "
                    f"other metrics (rate at most {bound:.3f} with 95 % confidence, limit {self.false_merge_limit})",
                    logging.WARNING,  # results served before may be wrong
                )

    def stop(self, reason: str) -> None:
        """Probe no more, for the reason given."""
        with self._lock:
            self._stop(reason)

    def statistics(self) -> dict[str, float]:
        """Return the evidence; times in seconds, rates in [0, 1]."""
        with self._lock:
            saved_s = self._served * self._mean_measure_s()
            return {
                "probes": self._probes, "probe_s": self._probe_s, "mean_probe_s": self._mean_probe_s(),
                "measured": self._measured, "measure_s": self._measure_s, "mean_measure_s": self._mean_measure_s(),
                "hits": self._hits, "hit_rate": self._hits / self._probes if self._probes else 0.0, "served": self._served,
                "saved_s": saved_s, "net_saved_s": saved_s - self._probe_s,
                "audits": self._audits, "false_merges": self._false_merges,
                "false_merge_upper_95": upper_bound(self._false_merges, self._audits),
                "probing": float(not self.reason), "trusted": float(self._trusted),
            }  # fmt: skip

    # ---- resuming ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the evidence and the decisions as JSON data."""
        with self._lock:
            kept = {name: getattr(self, name) for name in _STATE}
            return kept | {"bad": sorted(self._bad), "warm_up": dict(self._warm_up)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a `state`."""
        with self._lock:
            for name in _STATE:
                setattr(self, name, state[name])
            self._bad, self._warm_up = set(state["bad"]), dict(state["warm_up"])

    # ---- inside: the lock is held --------------------------------------------------------------------------------------

    def _mean_probe_s(self) -> float:
        """Mean of all probes but the warm-up, or of that if there is nothing else."""
        return _mean(self._probe_s, self._probes, self._warm_up["probe_s"], self._warm_up["probes"])

    def _mean_measure_s(self) -> float:
        return _mean(self._measure_s, self._measured, self._warm_up["measure_s"], self._warm_up["measured"])

    def _spent_s(self) -> float:
        return self._probe_s - self._warm_up["probe_s"]

    def _worth_s(self) -> float:
        """Seconds that the hits so far would have saved at the lasting share of audits."""
        return (self._hits - self._false_merges) * self._mean_measure_s() * (1 - self.audit_share)

    def _judge_economy(self) -> None:
        probes, measured = self._probes - self._warm_up["probes"], self._measured - self._warm_up["measured"]
        if self.mode != "auto" or self.reason or probes < EARLY_PROBES or measured < EARLY_PROBES:
            return
        probe_s, measure_s, worth_s = self._mean_probe_s(), self._mean_measure_s(), self._worth_s()
        spent_s = self._spent_s()
        if probe_s > measure_s:
            self._stop(f"probing does not pay: a probe takes {probe_s:.3g} s, a measurement only {measure_s:.3g} s")
        elif probes >= TRIAL_PROBES and spent_s > worth_s:
            self._stop(
                f"probing does not pay: {probes} probes took {spent_s:.3g} s, their {self._hits} functional hits are worth {worth_s:.3g} s"
            )

    def _stop(self, reason: str, level: int = logging.INFO) -> None:
        if not self.reason:
            log.log(level, "no more functional fingerprints: %s", reason)
            self.reason = reason


_STATE = (
    "reason", "_trusted", "_probes", "_measured", "_hits", "_served", "_audits", "_false_merges", "_probe_s", "_measure_s",
)  # fmt: skip


def upper_bound(events: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided Clopper-Pearson upper bound of a rate after ``events`` in ``trials``; 1 if nothing is known."""
    if events >= trials:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(events + 1, trials - events, confidence))


def _mean(total: float, count: int, warm_total: float, warm_count: float) -> float:
    if count > warm_count:
        return (total - warm_total) / (count - warm_count)
    return total / count if count else 0.0


def _uniform(key: str) -> float:
    """Return a number in [0, 1) that depends on the key alone."""
    return int.from_bytes(blake3(b"audit" + key.encode()).digest(length=8), "big") / 2**64
