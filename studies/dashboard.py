"""All studies of a store as HTML pages: a list, and the report of each. Written to a folder, or served (`dashboard_server`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import designgym
from designgym.core.files import written_whole
from designgym.core.metrics import shown_unit
from designgym.studies.report import render_report
from designgym.studies.report_template import escape, page
from designgym.studies.results import StudyResult
from designgym.studies.store import Store

INDEX = "index.html"


def write_dashboard(store: Store, folder: Path) -> Path:
    """Write a report per study of the store, and ``index.html``, which leads to them; returns the path of that.

    Raises:
        InputError: If the pages cannot be where they shall be.
    """
    results = [StudyResult.load(store, name) for name in _names(store)]
    files = _file_names(result.name for result in results)
    for result in results:
        result.report(folder / files[result.name])
    index = folder / INDEX
    with written_whole(index, "write the dashboard to") as temporary:
        temporary.write_text(_index(results, files, store.shown, "write it again"), encoding="utf-8")
    return index


def render_page(store: Store, file: str) -> str | None:
    """Return a page of the dashboard as the store is now: ``index.html``, or the file that it links to; None if there is no such page."""
    files = _file_names(_names(store))
    if file == INDEX:
        return _index([StudyResult.load(store, name) for name in files], files, store.shown, "load it again")
    for name, own in files.items():
        if own == file:
            result = StudyResult.load(store, name)
            return render_report(result.frame, result.meta)
    return None


def _names(store: Store) -> list[str]:
    return [study["name"] for study in store.studies()]


def _file_names(names: Iterable[str]) -> dict[str, str]:
    """Return a different file name for each study, one that every file system takes."""
    files: dict[str, str] = {}
    taken = {Path(INDEX).stem}
    for name in names:
        stem = plain = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._").lower() or "study"
        number = 1
        while stem in taken:
            number += 1
            stem = f"{plain}-{number}"
        taken.add(stem)
        files[name] = f"{stem}.html"
    return files


def _index(results: list[StudyResult], files: dict[str, str], shown: str, how_to_renew: str) -> str:
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    sections = [(f"study-{i}", result.name, _section(result, files[result.name])) for i, result in enumerate(results, 1)]
    count = "1 study" if len(results) == 1 else f"{len(results):,} studies"
    return page(
        title="designgym dashboard",
        version=designgym.__version__,
        header=f'<p class="eyebrow">designgym dashboard · store {escape(shown)}</p><h1>{count}</h1>',
        sections=sections,
        footer=f"Written by designgym {escape(designgym.__version__)} at {written} UTC; {how_to_renew} to see what came since.",
        plotly_js="",
    )


def _section(result: StudyResult, file: str) -> str:
    definition, best = result.definition, result.best()
    units = {term.label: shown_unit(term.unit) for term in result.meta.terms}
    done = sum(run.status in ("finished", "stopped") for run in result.runs)
    lines = [
        f"{escape(definition['env'])} on {escape(', '.join(result.workloads))}: {escape(definition['objective']['words'])}.",
        f"{done:,} of {len(result.runs):,} runs finished, {len(result.frame):,} trials.",
        f"Best: {escape(', '.join(f'{label} = {value:.6g} {units[label]}'.rstrip() for label, value in best[0].shown.items()))}."
        if best
        else "No result yet.",
    ]
    return "".join(f"<p>{line}</p>" for line in lines) + f'<p><a href="{escape(file)}">its report</a></p>'
