"""What is infeasible is counted alike in the exported column, on the terminal and in the report."""

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import designgym as dg
from designgym.studies.cli.study_tables import print_summary
from designgym.studies.figures.data import StudyData
from designgym.studies.results import StudyResult
from designgym.studies.store import open_store


@pytest.fixture(scope="module")
def result() -> StudyResult:
    # Two runs that propose much of the same: results are measured once, and proposals that break the bound are more
    study = dg.Study("tight", "test/Counting-v0", objective=dg.minimize("latency_ns", subject_to={"area_mm2": "<= 1"}),
                     searchers=["random", "genetic"], budget=40, seeds=2)  # fmt: skip
    with open_store(":memory:") as store:
        return study.run(backend="local", store=store, progress=False)


def test_each_proposal_is_feasible_infeasible_failed_or_without_value(result: StudyResult) -> None:
    data = StudyData(result.frame, result.meta)
    kinds = [data.feasible, data.infeasible, data.failed, data.valueless]
    assert np.all(np.sum(kinds, axis=0) == 1) and data.broken.any()


def test_the_report_counts_as_the_export_does(result: StudyResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = result.frame
    count = int((~frame["feasible"]).sum())
    designs = frame.loc[(frame["status"] == "ok") & ~frame["feasible"], "key_canonical"].nunique()
    broken = int(((frame["status"] == "ok") & ~frame["feasible"]).sum())
    assert 0 < designs < broken <= count
    page = unescape(result.report(tmp_path / "r.html").read_text())
    assert f"{broken} of {len(frame)} proposals have a result that breaks a constraint" in page
    assert f"{designs} distinct designs" in page and "measured trials" not in page
    rows = re.findall(r"<tr><td[^>]*>((?:random|genetic)-s\d)</td>(.*?)</tr>", page)
    shown = {run: [int(cell) for cell in re.findall(r'<td class="num">(\d+)</td>', cells)] for run, cells in rows}
    runs = frame.groupby("run")["feasible"].agg(lambda feasible: int((~feasible).sum()))
    assert {run: cells[3] for run, cells in shown.items()} == runs.to_dict()
    print_summary(result)
    out = " ".join(capsys.readouterr().out.split())
    assert f"breaks a bound {broken} of {len(frame)} trials, {designs} distinct designs: not within area_mm2 <= 1" in out
