"""A study as one self-contained HTML page: it opens offline, prints, and follows the reader's light or dark setting."""

from __future__ import annotations

import copy
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go

import designgym
from designgym.core.errors import InputError
from designgym.core.files import written_whole
from designgym.studies import report_audits
from designgym.studies import report_sections as sections
from designgym.studies.figures.plots import Plots
from designgym.studies.figures.style import words_of
from designgym.studies.report_template import escape, json_for_script, page

PAPER_WIDTH = 660  # px of a printed page between its margins

if TYPE_CHECKING:
    import pandas as pd

    from designgym.studies.figures.meta import StudyMeta


def write_report(frame: pd.DataFrame, meta: StudyMeta, path: str | os.PathLike[str]) -> Path:
    """Write the report of a study; the file is replaced as a whole or not at all.

    Args:
        frame: Trials, one per row (the frame schema of the store); may be empty.
        meta: The study in words and units.
        path: The HTML file; folders on the way are made.

    Returns:
        The path written.

    Raises:
        InputError: If the path cannot be a file.
        DesignGymError: If it cannot be written (full disk ...).
    """
    target = check_path(path)
    content = render_report(frame, meta).encode("utf-8", "replace")
    with written_whole(target, "write the report to") as temporary:
        temporary.write_bytes(content)
    return target


def check_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file to be written; raises `InputError` if it is a folder, so that long work does not end in that."""
    target = Path(path)
    if target.is_dir():
        raise InputError(f"cannot write the report to {str(target)!r}: it is a folder; name a file such as {str(target / 'report.html')!r}")
    return target


def render_report(frame: pd.DataFrame, meta: StudyMeta) -> str:
    """Return the report as HTML text."""
    from plotly.offline import get_plotlyjs

    views = [Plots(part, part_meta) for part, part_meta in _by_workload(frame, meta)]
    parts = [section for view in views for section in _sections(view, f" on {view.data.meta.workload}" if len(views) > 1 else "")]
    parts += [
        ("provenance", "Provenance", sections.provenance([view.data for view in views], meta)),
        ("glossary", "Glossary", sections.glossary(views[0].data)),
    ]
    drawn = any("data-figure" in body for _, _, body in parts)
    return page(
        title=f"{meta.name} | designgym report",
        version=designgym.__version__,
        header=sections.header([view.data for view in views], meta),
        sections=parts,
        footer=f"Written by designgym {escape(designgym.__version__)}. This file is self-contained: it loads nothing from elsewhere.",
        plotly_js=get_plotlyjs() if drawn else "",
    )


def _by_workload(frame: pd.DataFrame, meta: StudyMeta) -> list[tuple[pd.DataFrame, StudyMeta]]:
    """Return the study split by workload, since results on different workloads do not compare."""
    workloads = list(dict.fromkeys(frame["workload"])) if "workload" in frame else []
    if len(workloads) < 2:
        return [(frame, meta)]
    parts = []
    for workload in workloads:
        part = frame[frame["workload"] == workload]
        part.attrs.update(frame.attrs)
        runs = set(part["run"])
        parts.append((part, replace(meta, workload=str(workload), runs=tuple(run for run in meta.runs if run.run in runs))))
    return parts


def _sections(plots: Plots, suffix: str) -> list[tuple[str, str, str]]:
    """Return what there is to say of one workload; each part with an identifier of its own."""
    data = plots.data
    parts: list[tuple[str, str, str]] = [("best", "Best designs", sections.best_designs(data))]
    if len(data.frame):
        parts += [
            ("progress", "Best result so far", _figure("progress", suffix, plots.best_so_far())),
            ("tradeoff", "Trade-off", _figure("tradeoff", suffix, plots.pareto())),
            ("designs", "Parallel coordinates", _figure("designs", suffix, plots.parallel_coordinates(), "wide")),
            ("importance", "Parameter importance", _figure("importance", suffix, plots.importance(), "middling")),
            ("duplicates", "Duplicates skipped and time saved", _figure("duplicates", suffix, plots.duplicates(), "middling")),
            ("distribution", "Distribution of results", _figure("distribution", suffix, plots.distribution())),
        ]
    parts.append(("runs", "Search runs", sections.runs(data)))
    if audits := report_audits.audits(data.meta):
        parts.append(("fingerprints", "Fingerprints and their audit", audits))
    if problems := sections.problems(data):
        parts.append(("problems", "What went wrong", problems))
    return [(_identifier(name, suffix), heading + suffix, body) for name, heading, body in parts]


def _identifier(name: str, suffix: str) -> str:
    return name + re.sub(r"[^A-Za-z0-9]+", "-", suffix).rstrip("-")


def _figure(part: str, suffix: str, figure: go.Figure, kind: str = "") -> str:
    """Return a figure with its caption; one without anything to draw becomes a sentence."""
    meta = words_of(figure)
    if meta.get("empty"):
        return f'<p class="note">{escape(meta["caption"])}</p>'
    name = f"plot-{_identifier(part, suffix)}"
    drawn = copy.deepcopy(figure)
    above = 92 if kind == "wide" else 36
    drawn.update_layout(
        title=None, height=meta["height"], margin_t=above, meta={"scales": meta.get("scales")}
    )  # the page has its own heading and caption
    width = max(meta["width"], PAPER_WIDTH) if kind == "wide" else PAPER_WIDTH
    size = f"height:{meta['height']}px;--print-width:{width}px"
    if kind == "wide":  # it scrolls where the window is narrow, and shrinks on paper
        size += f";--width:{meta['width']}px;--zoom:{min(1.0, PAPER_WIDTH / meta['width']):.3f}"
    return (
        f'<figure aria-labelledby="{name}-caption"><figcaption id="{name}-caption">{escape(meta["caption"])}</figcaption>'
        f'<div class="scroll {kind}"><div class="plot" id="{name}" role="img" aria-label="{escape(meta["title"])}" '
        f'style="{size}"></div></div>'
        f'<script type="application/json" data-figure="{name}">{json_for_script(drawn.to_json() or "")}</script></figure>'
    )
