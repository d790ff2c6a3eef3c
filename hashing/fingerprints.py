"""`AuditedFingerprints`: probe for as long as probing pays, and believe fingerprints for as long as measurements confirm them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Literal, get_args

from blake3 import blake3

from designgym.core.errors import InputError, shorten

Mode = Literal["auto", "on", "off", "shared"]
Verdict = Literal["serve", "audit", "wait", "ignore"]

FIRST_AUDITS = 10  # the first functional hits are all audited: a probe that is bad in general is caught before it does harm
TRIAL_PROBES = 32  # probes that are spent to find out whether probing pays
EARLY_PROBES = 8  # from so many on, probes dearer than measurements end the trial early
REFUTED_HITS = 32  # functional hits in a row on keys that merged falsely: such a probe tells nothing apart
CONFIDENCE = 0.95
ROUNDING = 1e-12  # of the bounds: that of one false merge in a single audit is 0.05, and not above
SWITCHED_OFF = "fingerprints are switched off"

log = logging.getLogger("designgym.hashing")


def check_mode(mode: object) -> None:
    """Raise `InputError` if ``mode`` is not a `Mode`."""
    if mode not in get_args(Mode):
        raise InputError(f"got functional={shorten(mode)}, expected 'auto', 'on' or 'off', or 'shared' (on, and shared by all)")


class AuditedFingerprints:
    """Measured economics and audited trust of functional keys (a `FingerprintPolicy`); safe to share between threads.

    Economics (``auto``): with mean probe time p, mean measured time m, and h functional hits so far (less the false merges, and those that
    doubt made audits), probing goes on while ``h m (1 - audit_share) + 32 p`` covers the time spent on probes. So probes cost a search
    at most 32 probes more than they are worth to it. Probing also ends once 8 probes have shown that p > m. The first call of each kind
    is no evidence, since it may include compilation. A decision to stop is final.

    Trust: the first ``first_audits`` hits and then ``audit_share`` of all hits, chosen by a hash of the canonical key, are measured all the
    same, and nothing is served before the first audits are through. A key that merged falsely is ignored from then on. With r the rate of
    false merges among functional hits (bounds of Clopper and Pearson, one-sided, 95 %):

    - A false merge was seen and the upper bound of r is above ``false_merge_limit``: fingerprints are in doubt. Every hit is audited,
      so that nobody is harmed and evidence comes in fast, until the bound is back below the limit.
    - The lower bound of r is above the limit: the evidence is against them, and they are not used any more. The same if 32 hits in a
      row, while in doubt, were on keys that had merged falsely.

    Args:
        mode: ``auto``; ``on`` (probe always; trust is still audited); ``off``; ``shared``: as ``on``, for a cache that other workers share.
        audit_share: Share of functional hits that are measured to check.
        false_merge_limit: Largest rate of false merges among functional hits that a study accepts.
        first_audits: How many hits are measured before the first one is served. With no false merge among n audits r is at most 3 / n:
            59 for a bound of 5 %.

    Attributes:
        reason: Why there is no (more) probing, in words; empty while there is.

    Raises:
        InputError: For an argument outside its range.
    """

    def __init__(
        self, mode: Mode = "auto", *, audit_share: float = 0.1, false_merge_limit: float = 0.05, first_audits: int = FIRST_AUDITS
    ) -> None:
        check_mode(mode)
        for name, value in (("audit_share", audit_share), ("false_merge_limit", false_merge_limit)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise InputError(f"{name} must be a number in [0, 1], got {shorten(value)}")
        if type(first_audits) is not int or first_audits < 0:
            raise InputError(f"first_audits must be a whole number of at least 0, got {shorten(first_audits)}")
        self.mode, self.audit_share, self.false_merge_limit, self.first_audits = mode, audit_share, false_merge_limit, first_audits
        self.reason = SWITCHED_OFF if mode == "off" else ""
        self._lock = threading.Lock()
        self._trusted, self._in_doubt = True, False
        self._bad: set[str] = set()
        self._probes = self._measured = self._hits = self._served = self._audits = self._false_merges = 0
        self._doubted = self._refuted_in_a_row = 0  # hits audited for doubt alone; the latest hits, all on keys that merged falsely
        self._under_way: dict[str, list[bool]] = {}  # audits by functional key: whether for doubt alone
        self._probe_s = self._measure_s = 0.0
        self._warm_up: dict[str, float] = {"probes": 0, "probe_s": 0.0, "measured": 0, "measure_s": 0.0}

    # ---- the protocol --------------------------------------------------------------------------------------------------

    def wants_probes(self, count: int) -> int:
        """Return how many of ``count`` designs to probe now."""
        with self._lock:
            if self.reason or count <= 0:
                return 0
            if self.mode != "auto":
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

    def verdict(self, functional_key: str, canonical_key: str, *, patient: bool = True) -> Verdict:
        """Return what to do with a functional hit; each ``audit`` is to be answered by `audited`.

        Args:
            functional_key: The key that was hit.
            canonical_key: That of the design that hit it.
            patient: Whether the asker may wait for the first audits, where others make them; who may not makes another one.
        """
        with self._lock:
            if self.mode == "off" or not self._trusted:
                return "ignore"
            if functional_key in self._bad:
                self._note_refuted()
                return "ignore"
            under_way = sum(map(len, self._under_way.values()))
            if patient and self._audits < self.first_audits <= self._audits + under_way:
                return "wait"  # for the first audits
            self._hits += 1
            self._refuted_in_a_row = 0
            chosen = self._audits < self.first_audits or _uniform(canonical_key) < self.audit_share
            if chosen or self._in_doubt:
                self._doubted += not chosen
                self._under_way.setdefault(functional_key, []).append(not chosen)
                return "audit"
            self._served += 1
            return "serve"

    def audited(self, functional_key: str, agreed: bool | None) -> bool:
        """Note whether an audit agreed with what would have been served, and return whether that is evidence.

        It is not if the audit came to no measurement (``agreed`` is None), nor if the key is known already to have merged falsely: a hit
        is not counted then.
        """
        with self._lock:
            under_way = self._under_way.get(functional_key, [])
            doubted = under_way.pop() if under_way else False
            if not under_way:
                self._under_way.pop(functional_key, None)
            if agreed is None or functional_key in self._bad:
                self._hits, self._doubted = self._hits - 1, self._doubted - doubted
                return False
            self._audits += 1
            if not agreed:
                self._false_merges += 1
                self._bad.add(functional_key)
            self._judge_trust()
            return True

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
                "false_merge_lower_95": lower_bound(self._false_merges, self._audits), "doubted": self._doubted,
                "probing": float(not self.reason), "trusted": float(self._trusted), "in_doubt": float(self._in_doubt),
            }  # fmt: skip

    # ---- resuming ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the evidence and the decisions as JSON data."""
        with self._lock:
            kept = {name: getattr(self, name) for name in _STATE}
            return kept | {"bad": sorted(self._bad), "warm_up": dict(self._warm_up), "in_doubt": self._in_doubt}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a `state`, also to one of a version that stopped at the first doubt; what was stopped stays so.

        Raises:
            InputError: If it is no such state.
        """
        state = {**dict.fromkeys(_NEW_IN_STATE, 0), **state}
        if missing := sorted({*_STATE, "bad", "warm_up"} - state.keys()):
            raise InputError(f"not a state of fingerprints: it lacks {', '.join(missing)}; expected what AuditedFingerprints.state gave")
        with self._lock:
            for name in _STATE:
                setattr(self, name, state[name])
            self._bad, self._warm_up, self._under_way = set(state["bad"]), dict(state["warm_up"]), {}
            self._in_doubt = self._trusted and self._bound_is_too_high()

    # ---- inside: the lock is held --------------------------------------------------------------------------------------

    def _mean_probe_s(self) -> float:
        """Mean of all probes but the warm-up, or of that if there is nothing else."""
        return _mean(self._probe_s, self._probes, self._warm_up["probe_s"], self._warm_up["probes"])

    def _mean_measure_s(self) -> float:
        return _mean(self._measure_s, self._measured, self._warm_up["measure_s"], self._warm_up["measured"])

    def _spent_s(self) -> float:
        return self._probe_s - self._warm_up["probe_s"]

    def _worthwhile(self) -> int:
        """The hits that count for something; those that are audited for doubt save nothing."""
        return max(self._hits - self._doubted - self._false_merges, 0)

    def _worth_s(self) -> float:
        """Seconds that the hits so far would have saved at the lasting share of audits."""
        return self._worthwhile() * self._mean_measure_s() * (1 - self.audit_share)

    def _bound_is_too_high(self) -> bool:
        return self._false_merges > 0 and upper_bound(self._false_merges, self._audits) > self.false_merge_limit

    def _judge_trust(self) -> None:
        found = f"{self._false_merges} of {self._audits} audited functional hits merged designs with other metrics"
        low = lower_bound(self._false_merges, self._audits)
        if low > self.false_merge_limit + ROUNDING:
            self._distrust(f"{found} (rate at least {low:.3f} with 95 % confidence, limit {self.false_merge_limit})")
        doubt = self._trusted and self._bound_is_too_high()
        if doubt != self._in_doubt and self._trusted:
            high = upper_bound(self._false_merges, self._audits)
            bound = f"rate at most {high:.3f} with 95 % confidence, limit {self.false_merge_limit}"
            if doubt:  # results served before may be wrong
                log.warning("fingerprints are in doubt: %s (%s); every functional hit is measured until that is below", found, bound)
            else:
                log.info("functional hits are served again: %s (%s)", found, bound)
        self._in_doubt = doubt

    def _note_refuted(self) -> None:
        self._refuted_in_a_row += 1
        if self._in_doubt and self._refuted_in_a_row >= REFUTED_HITS:
            self._distrust(f"the latest {REFUTED_HITS} functional hits were all on fingerprints that had merged designs with other metrics")

    def _distrust(self, why: str) -> None:
        self._trusted = self._in_doubt = False
        self._stop(f"fingerprints are not trusted: {why}", logging.WARNING)  # results served before may be wrong

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
                + (f" ({self._doubted} of them were measured for doubt, {self._false_merges} were false)" if self._false_merges else "")
            )

    def _stop(self, reason: str, level: int = logging.INFO) -> None:
        if not self.reason:
            log.log(level, "no more functional fingerprints: %s", reason)
            self.reason = reason


_STATE = (
    "reason", "_trusted", "_probes", "_measured", "_hits", "_served", "_audits", "_false_merges", "_probe_s", "_measure_s", "_doubted",
    "_refuted_in_a_row",
)  # fmt: skip
_NEW_IN_STATE = ("_doubted", "_refuted_in_a_row")


def lower_bound(events: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided Clopper-Pearson lower bound of a rate after ``events`` in ``trials``; 0 if there was none."""
    if not events:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(events, trials - events + 1, 1 - confidence))


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
