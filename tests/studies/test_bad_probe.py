"""A probe that lies is found out by audits, and the study says so wherever it is looked at: counts, bound, reason."""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import designgym as dg
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.hashing.evidence import Evidence
from designgym.hashing.fingerprints import AuditedFingerprints, upper_bound
from designgym.studies.cli.show_command import show_json
from designgym.studies.cli.study_tables import print_summary
from designgym.studies.results import StudyResult
from designgym.studies.store import open_store
from designgym.studies.study import Study


class HalfBlind:
    """cost = a + c / 2; its probe sees ``a`` alone, or everything if it is ``honest``."""

    name, version, deterministic = "half-blind", "1", True
    space = dg.DesignSpace(a=dg.Integer(0, 9), c=dg.Integer(0, 9))
    metrics = (dg.metric("cost_ns", goal="min"),)
    resources = dg.Resources()

    def __init__(self, honest: bool) -> None:
        self._honest = honest

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        return [dg.Metrics({"cost_ns": design["a"] + design["c"] / 2}) for design in designs]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> list[bytes]:
        return [str((design["a"], design["c"] if self._honest else 0)).encode() for design in designs]


def searched(path: Path, functional: str, honest: bool = False) -> StudyResult:
    workloads = FixedWorkloads({"w": 1})
    env = EnvironmentSpec("test/HalfBlind-v0", lambda: HalfBlind(honest), workloads, {"cost": dg.minimize("cost_ns")}, "w")
    study = Study("blind", env, searchers=["random", "grid"], budget=60, functional=functional)  # type: ignore[arg-type]
    with open_store(path) as store:
        return study.run(backend="local", store=store, progress=False)


def test_a_bad_probe_is_told_of_in_numbers(tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.WARNING, "designgym.hashing"):
        searched(tmp_path / "s.db", "on")
    assert "fingerprints are not trusted" in caplog.text
    with open_store(tmp_path / "s.db", read_only=True) as store:  # told from what is stored
        result = StudyResult.load(store, "blind")
    shown = json.loads(json.dumps(show_json(result, 1), allow_nan=False))
    for run, report in zip(shown["runs"], result.reports, strict=True):
        found = run["fingerprints"]
        assert found["false_merges"] > 0 and not found["trusted"] and "not trusted" in found["stopped_because"]
        assert found["false_merge_upper_95"] == upper_bound(found["false_merges"], found["audits"]) > 0.05
        assert found["served"] == report.functional_hits and found["hits"] == found["served"] + found["audits"]
        own = result.frame[result.frame["run"] == run["run"]]
        assert found["audits"] == int((own["obtained"] == "audited").sum())
    total = shown["fingerprints"]
    assert all(total[name] == sum(run["fingerprints"][name] for run in shown["runs"]) for name in ("probes", "audits", "false_merges"))
    print_summary(result)
    out = capsys.readouterr().out
    assert f"{total['audits']} of them audited: {total['false_merges']} false merges, a rate of at most" in out
    assert "stopped in 2 of 2 runs" in out and "stopped because" in out and "fingerprints are not trusted" in out
    page = result.report(tmp_path / "r.html").read_text()
    assert "are not to be trusted" in page and "Fingerprints and their audit" in page
    assert f"{total['false_merges']:,} false merges" in page and page.count("fingerprints are not trusted") == 2


def test_a_good_probe_is_not_blamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = searched(tmp_path / "s.db", "on", honest=True)
    assert all(found.trusted and not found.stopped_because and found.probes for found in result.fingerprints)
    print_summary(result)
    out = capsys.readouterr().out
    assert "designs probed" in out and "stopped in" not in out and "false merges  " not in out
    page = result.report(tmp_path / "r.html").read_text()
    assert "are not to be trusted" not in page and "Fingerprints and their audit" in page


def test_nothing_is_told_where_fingerprints_are_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = searched(tmp_path / "s.db", "off")
    print_summary(result)
    assert not re.search("probed|stopped in", capsys.readouterr().out)
    assert "Fingerprints and their audit" not in result.report(tmp_path / "r.html").read_text()
    assert show_json(result, 1)["fingerprints"]["stopped_because"] == "fingerprints are switched off"  # type: ignore[index]


def test_the_total_counts_those_that_were_on_and_names_distrust_first() -> None:
    off, liar, stopped = (AuditedFingerprints(mode) for mode in ("off", "on", "on"))
    for key in ("key", "other"):
        liar.verdict(key, "design")
        liar.audited(key, agreed=False)
    stopped.stop("no probe")
    total = Evidence.total(Evidence.of(policy.state()) for policy in (off, stopped, liar))
    assert (total.hits, total.audits, total.false_merges, total.trusted) == (2, 2, 2, False)
    assert total.upper_95 == 1.0 and "not trusted" in total.stopped_because
    assert not Evidence.total([Evidence.of(off.state())]).wanted
    assert Evidence().words() == "0 designs probed, 0 functional hits, none audited"
