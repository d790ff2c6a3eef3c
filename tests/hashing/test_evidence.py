"""`Evidence`: what is told of fingerprints that are believed, in doubt, and stopped."""

from designgym.hashing.evidence import Evidence
from designgym.hashing.fingerprints import AuditedFingerprints


def policy_after(agreed: int, lies: int) -> AuditedFingerprints:
    policy = AuditedFingerprints("on", audit_share=0.0)
    for i in range(lies + agreed):
        if policy.verdict(f"f{i}", f"c{i}") == "audit":
            policy.audited(f"f{i}", agreed=i >= lies)
    return policy


def test_doubt_is_told_and_passes() -> None:
    found = Evidence.of(policy_after(agreed=30, lies=1).state())
    assert (found.audits, found.false_merges, found.doubted, found.trusted, found.in_doubt) == (31, 1, 21, True, True)
    assert found.stopped_because == "" and found.remark.startswith("in doubt: ") and found.to_json()["in_doubt"]
    assert "21 audits were made because of doubt" in found.words()
    later = Evidence.of(policy_after(agreed=200, lies=1).state())
    assert not later.in_doubt and later.remark == "" and later.served > 100
    total = Evidence.total([found, later])
    assert total.in_doubt and total.trusted and total.doubted == found.doubted + later.doubted


def test_an_end_is_told_and_not_called_doubt() -> None:
    found = Evidence.of(policy_after(agreed=5, lies=2).state())
    assert (found.trusted, found.in_doubt, found.served) == (False, False, 0)
    assert found.remark == found.stopped_because and "rate at least 0.224" in found.remark


def test_the_state_of_an_earlier_version_has_no_doubt() -> None:
    state = policy_after(agreed=30, lies=0).state()
    old = {name: value for name, value in state.items() if name not in ("_doubted", "_refuted_in_a_row", "in_doubt")}
    assert Evidence.of(old) == Evidence.of(state)
