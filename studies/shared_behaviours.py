"""Functional keys that the runs of a study share (``functional="shared"``)."""

from __future__ import annotations

from collections.abc import Iterable

from designgym.core.batch import ProbeMemory
from designgym.core.measuring import agree
from designgym.core.metrics import Metrics
from designgym.core.protocols import EquivalenceCache, FingerprintPolicy
from designgym.studies.records import to_metrics
from designgym.studies.store import Store


def is_result(metrics: Metrics) -> bool:
    """Return whether metrics are what the design does, and not a failure to find out."""
    return metrics.status in ("ok", "infeasible")


class SharedBehaviours:
    """What one run knows of functional keys, where what any run measures stands for its equals in all.

    Args:
        probed: Functional keys that the run's evaluator has made, by canonical key.
        policy: The run's own: what it believes, and its evidence.
        agreement: Relative difference up to which an audit confirms a functional hit.

    Attributes:
        met: Functional keys of which the run has a result. Its evaluator knows what to do with further designs of these; those that it
            wants measured are.
    """

    def __init__(self, probed: ProbeMemory, policy: FingerprintPolicy, agreement: float) -> None:
        self.probed, self.policy, self.met = probed, policy, set[str]()
        self._agreement = agreement

    def note(self, keys: Iterable[str]) -> None:
        """Note of which designs the run has results."""
        self.met.update(functional for key in keys if (functional := self.probed.recall(key)) is not None)

    def end_audit(self, key: str, claim: Metrics, result: Metrics | None) -> bool:
        """Tell the policy what an audit found, nothing without a result; return whether that is evidence."""
        functional = self.probed.recall(key)
        agreed = None if result is None or not is_result(result) else agree(claim, result, self._agreement)
        return functional is not None and self.policy.audited(functional, agreed)


def recall_behaviours(cache: EquivalenceCache, store: Store, study: str) -> None:
    """Let a new cache know the behaviours that the runs of a study measured before it was interrupted."""
    rows = [row for row in store.trial_rows(study) if row["obtained"] in ("measured", "audited") and row["key_functional"] is not None]
    results = {row["key_canonical"]: (row["key_functional"], metrics) for row in rows if is_result(metrics := to_metrics(row))}
    cache.preload((key, metrics) for key, (_, metrics) in results.items())
    cache.link({functional: key for key, (functional, _) in reversed(results.items())})  # the first one of each stands for the others
