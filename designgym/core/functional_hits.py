"""Which of the designs that are to be measured another one's result stands for: functional keys, under single flight and audit."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from designgym.core.metrics import Metrics
from designgym.core.protocols import EquivalenceCache, FingerprintPolicy


@dataclass(frozen=True)
class Wanted:
    """A design that was reserved: its canonical key, the reservation's token, and its functional key, None if it was not probed."""

    key: str
    token: str
    functional: str | None


@dataclass
class Sorted:
    """What becomes of designs, by canonical key.

    Attributes:
        serve: Results that stand for them.
        measure: Those to measure, in order; their functional keys are held along with their reservations.
        audits: For those of them that are measured to check a fingerprint, what would have been served.
        leave: Those whose equivalent is being measured, here or elsewhere: to be given back and asked for again.
        busy: A functional key to wait for if nothing is to be measured.
    """

    serve: dict[str, Metrics] = field(default_factory=dict)
    measure: list[str] = field(default_factory=list)
    audits: dict[str, Metrics] = field(default_factory=dict)
    leave: list[str] = field(default_factory=list)
    busy: str = ""


def sort_hits(cache: EquivalenceCache, policy: FingerprintPolicy, wanted: Sequence[Wanted], met: Container[str] = ()) -> Sorted:
    """Say for each design whether to serve it, to measure it, or to come back to it.

    Whoever measures holds the functional key, so that nobody measures an equivalent design at the same time, in an audit neither. Whoever
    has to come back gives its reservation back first, so that nobody who holds one waits for another.

    Args:
        cache: Where the designs are reserved.
        policy: What to do with hits.
        wanted: The designs.
        met: Functional keys of which the asker has a result of its own: whoever wants such a design measured has had its reasons.
    """
    found, verdicts = Sorted(), {one.key: "measure" for one in wanted}
    probed = [(one, one.functional) for one in wanted if one.functional is not None]
    new = [(functional, one.key, one.token) for one, functional in probed if functional not in met]
    answers = dict(zip((key for _, key, _ in new), cache.claim(new), strict=True))
    claims: dict[str, Metrics] = {}
    checked: set[str] = set()
    for one, functional in probed:
        answer = answers.get(one.key)
        if answer is None:
            verdicts[one.key] = "hold"
        elif answer.kind == "busy":
            verdicts[one.key], found.busy = "leave", functional
        elif answer.metrics is not None and functional in checked:
            verdicts[one.key] = "leave"  # what its twin's audit says may be of weight for it
        elif answer.metrics is not None:
            verdicts[one.key] = policy.verdict(functional, one.key)
            claims[one.key] = answer.metrics
            if verdicts[one.key] == "audit":
                checked.add(functional)
    if not any(verdict in ("audit", "hold", "measure", "ignore") for verdict in verdicts.values()):
        for one, functional in probed:
            if verdicts[one.key] == "wait":  # for audits of others, who may themselves wait for this one to come back
                verdicts[one.key] = policy.verdict(functional, one.key, patient=False)
                break
    hold = [(functional, one.key, one.token) for one, functional in probed if verdicts[one.key] in ("audit", "hold")]
    for (functional, key, _), answer in zip(hold, cache.claim(hold, audit=True), strict=True):
        if answer.kind == "busy":
            if verdicts[key] == "audit":
                policy.audited(functional, None)
            verdicts[key], found.busy = "leave", functional
    for key, verdict in verdicts.items():
        if verdict == "serve":
            found.serve[key] = claims[key]
        elif verdict in ("leave", "wait"):
            found.leave.append(key)
        else:
            found.measure.append(key)
            if verdict == "audit":
                found.audits[key] = claims[key]
    return found
