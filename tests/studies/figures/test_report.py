"""The report: one file that loads nothing, runs nothing of what users wrote, and says what there is to say even where that is little."""

from __future__ import annotations

import dataclasses
import json
import re
import stat
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.studies.report import PAPER_WIDTH, render_report, write_report
from designgym.studies.report_sections import BEST_SHOWN, PRINTED
from designgym.studies.report_style import STYLE
from designgym.studies.report_template import SCRIPT

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>&</title>%{x}'
LIMIT_BYTES = 8_000_000


class Page(HTMLParser):
    """The elements of a page: tags with attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        """All visible text."""
        return " ".join(" ".join(self.text).split())

    @property
    def figures(self) -> list[dict[str, Any]]:
        """The embedded figures."""
        sources = [attrs for tag, attrs in self.tags if tag == "script"]
        return [json.loads(script) for attrs, script in zip(sources, self.scripts, strict=True) if attrs.get("type") == "application/json"]


@pytest.fixture(scope="module")
def page(study: Any) -> Page:
    return Page(render_report(study.frame, study.meta))


def test_is_complete_and_accessible(page: Page) -> None:
    identifiers = [str(attrs["id"]) for tag, attrs in page.tags if tag == "section"]
    figures = ["progress", "tradeoff", "designs", "importance", "duplicates", "distribution"]
    assert identifiers == ["best", *figures, "runs", "problems", "provenance", "glossary"]
    assert [attrs["href"] for tag, attrs in page.tags if tag == "a"] == [f"#{name}" for name in identifiers]
    every_id = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(every_id) == len(set(every_id))
    assert ("html", {"lang": "en"}) in page.tags
    assert len(page.figures) == 6
    assert all("aria-label" in attrs for _, attrs in page.tags if attrs.get("class") == "plot")


def test_on_paper_figures_have_its_width_at_once_and_hidden_designs_are_told_of(study: Any, page: Page) -> None:
    plots = [str(attrs["style"]) for _, attrs in page.tags if attrs.get("class") == "plot"]
    widths = [int(re.findall(r"--print-width:(\d+)px", style)[0]) for style in plots]
    zooms = [float((re.findall(r"--zoom:([\d.]+)", style) or ["1"])[0]) for style in plots]
    assert plots and all(width * zoom == pytest.approx(PAPER_WIDTH, abs=1) for width, zoom in zip(widths, zooms, strict=True))
    printing = SCRIPT[SCRIPT.index("beforeprint") :].split("});")[0]
    assert "fit()" in printing and "resize()" not in printing  # what Plotly delays comes too late
    assert f"On paper: the first {PRINTED} of these {BEST_SHOWN} designs." in page.words
    assert f":nth-child(n+{PRINTED + 2})" in STYLE  # after the column of names
    text = render_report(study.frame.iloc[:3], study.meta)
    assert "On paper" not in text


def test_loads_nothing_from_elsewhere(study: Any, page: Page) -> None:
    for tag, attrs in page.tags:
        assert tag not in {"link", "iframe", "img", "object", "embed", "base"}, f"<{tag}> in the report"
        for name in ("src", "href", "action", "poster", "data"):
            assert not str(attrs.get(name) or "#").lower().startswith(("http", "//", "javascript")), (tag, attrs)
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", "".join(page.text))
    policy = next(str(attrs["content"]) for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 2  # Plotly and the script that draws; nothing else may run
    style = render_report(study.frame, study.meta).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_headline_says_what_was_found_in_units(study: Any, page: Page) -> None:
    best = study.frame.loc[study.frame["feasible"]].sort_values("score", ascending=False).iloc[0]
    energy_uj = best["metrics.energy_pj"] / 1e6
    assert "3 searchers in 9 runs searched designgym/Synthetic-v0" in page.words
    assert f"energy {energy_uj:.1f} µJ" in page.words
    assert "nJ·s" in page.words
    assert f"found by {best['searcher']} (seed {best['run_seed']})" in page.words
    duplicates = int(study.frame["duplicate"].sum())
    assert f"Duplicates skipped {duplicates:,}" in page.words
    assert "R² = 0.9" in page.words
    assert "designgym demo --seed 0" in page.words
    assert study.meta.workload_digest in page.words
    assert "simulated crash: <queue overrun>" in page.words  # shown, and therefore escaped


@dg.simulator(
    space=dg.DesignSpace({EVIL: dg.Categorical(EVIL, "plain"), "size": dg.Integer(1, 40)}),
    metrics=[dg.metric("cost_usd", goal="min")],
    version="1",
)
def evil(design: Mapping[str, Any], workload: Any, *, seed: int) -> dict[str, float]:
    """A simulator whose names, values and errors try to inject script."""
    if design["size"] % 7 == 0:
        raise RuntimeError(EVIL)
    return {"cost_usd": 100.0 / design["size"] + (design[EVIL] == "plain")}


def test_users_text_is_never_markup(make_study: Callable[..., Any]) -> None:
    study = make_study({EVIL: 1.0, "random": 1.0}, seeds=2, budget=40, objective=dg.minimize("cost_usd"), simulator=evil, name=EVIL)
    frame = study.frame.copy()
    frame.loc[frame.index[:3], ["status", "reasons", "feasible"]] = ["infeasible", EVIL, False]
    meta = dataclasses.replace(
        study.meta, env=EVIL, workload=EVIL, objective=EVIL, commands=(EVIL,), versions={EVIL: EVIL}, docs={"cost_usd": EVIL},
        description=EVIL,
        runs=tuple(dataclasses.replace(run, stop_reason=EVIL, error=EVIL) for run in study.meta.runs), workload_digest=EVIL,
        bounds=(),
    )  # fmt: skip
    text = render_report(frame, meta)
    page = Page(text)
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert len([attrs for attrs in scripts if not attrs]) == 2
    assert all(set(attrs) == {"type", "data-figure"} for attrs in scripts if attrs)
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert EVIL.split("%")[0] in page.words  # it is there, as text
    assert sum(tag == "title" for tag, _ in page.tags) == 1
    figures = json.dumps(page.figures)
    assert "<script" not in figures and "<img" not in figures  # Plotly renders some tags itself
    assert "onerror" not in "".join(re.findall(r"<[^>]*>", figures))


def test_edges(study: Any) -> None:
    failed = study.frame.copy()
    failed["status"], failed["feasible"], failed["score"], failed["error"] = "failed", False, -np.inf, "the tool exited with code 127"
    failed[[c for c in failed if str(c).startswith("metrics.")]] = np.nan
    expected = {"no trials yet": study.frame.iloc[:0], "1 evaluation": study.frame.iloc[:1], "none is feasible": failed}
    for words, frame in expected.items():
        page = Page(render_report(frame, study.meta))
        assert words in page.words
        assert "nan" not in page.words.lower().split()
    assert "the tool exited with code 127" in Page(render_report(failed, study.meta)).words
    empty = render_report(pd.DataFrame(), study.meta)
    assert "no trials yet" in Page(empty).words
    assert len(empty) < 100_000  # without figures Plotly is left out


def test_many_rows_are_sampled_and_the_page_says_so(study: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.concat([study.frame] * (20_000 // len(study.frame) + 1), ignore_index=True).head(20_000)
    frame["key_canonical"] = [f"k{i}" for i in range(len(frame))]
    for name in ("total_time_ns", "energy_pj", "power_mw"):
        frame[f"metrics.{name}"] *= rng.uniform(0.9, 1.1, len(frame))
    path = write_report(frame, study.meta, tmp_path / "large.html")
    assert path.stat().st_size < LIMIT_BYTES
    words = Page(path.read_text()).words
    assert "are left out of the drawing (a seeded sample is shown)" in words
    assert "20,000 proposed" in words


def test_of_many_parameters_the_most_important_are_drawn(study: Any) -> None:
    frame = study.frame.copy()
    rng = np.random.default_rng(0)
    for i in range(25):
        frame[f"design.extra_{i}"] = rng.integers(0, 5, len(frame))
    page = Page(render_report(frame, study.meta))
    assert "Of 34 parameters the 12 most important are drawn." in page.words
    parallel = next(figure for figure in page.figures if figure["data"][0]["type"] == "parcoords")
    labels = [dimension["label"].replace("<br>", "") for dimension in parallel["data"][0]["dimensions"]]
    assert labels[0] == "PagePolicy"


def test_several_workloads_are_reported_apart(study: Any) -> None:
    other = study.frame.copy()
    other["workload"], other["run"] = "stream", other["run"] + "-stream"
    other["metrics.total_time_ns"] *= 50
    frame = pd.concat([study.frame, other], ignore_index=True)
    frame.attrs["units"] = dict(study.meta.units)
    page = Page(render_report(frame, study.meta))
    identifiers = [str(attrs["id"]) for tag, attrs in page.tags if tag == "section"]
    assert "progress-on-cloud-like" in identifiers and "progress-on-stream" in identifiers
    assert page.words.count("The best design reaches") == 2
    assert len(page.figures) == 12


def test_is_written_whole_or_not_at_all(study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "report.html"
    assert write_report(study.frame.head(40), study.meta, path) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(dg.core.errors.DesignGymError, match="No space left"):
        write_report(study.frame.head(50), study.meta, path)
    assert path.read_bytes() == before
    assert [child.name for child in path.parent.iterdir()] == ["report.html"]


def test_a_folder_or_a_file_in_the_way_is_one_clear_error(study: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is a folder"):
        write_report(study.frame.head(5), study.meta, tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="choose another place"):
        write_report(study.frame.head(5), study.meta, tmp_path / "file" / "report.html")


def test_is_the_same_every_time(study: Any) -> None:
    assert render_report(study.frame, study.meta) == render_report(study.frame, study.meta)
