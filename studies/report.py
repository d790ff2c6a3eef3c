"""A study as one self-contained HTML page: it opens offline, prints, and follows the reader's light or dark setting."""

from __future__ import annotations

import copy
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go

import designgym
from designgym.core.errors import DesignGymError, InputError
from designgym.studies import report_sections as sections
from designgym.studies.figures.plots import Plots
from designgym.studies.report_template import escape, json_for_script, page

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
    target = Path(path)
    if target.is_dir():
        raise InputError(f"cannot write the report to {str(target)!r}: it is a folder; name a file such as {str(target / 'report.html')!r}")
    content = render_report(frame, meta).encode("utf-8", "replace")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-", suffix=".tmp")
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise InputError(f"cannot write the report to {str(target)!r}: {error.strerror}; choose another place") from None
    except OSError as error:
        raise DesignGymError(f"cannot write the report to {str(target)!r}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise DesignGymError(f"cannot write the report to {str(target)!r}: {error.strerror}") from None
    return target


def render_report(frame: pd.DataFrame, meta: StudyMeta) -> str:
    """Return the report as HTML text."""
    from plotly.offline import get_plotlyjs

    plots = Plots(frame, meta)
    data = plots.data
    parts: list[tuple[str, str, str]] = [("best", "Best designs", sections.best_designs(data))]
    if len(data.frame):
        parts += [
            ("progress", "Best result so far", _figure("plot-progress", plots.best_so_far())),
            ("tradeoff", "Trade-off", _figure("plot-tradeoff", plots.pareto())),
            ("designs", "Designs in parallel coordinates", _figure("plot-designs", plots.parallel_coordinates(), "wide")),
            ("importance", "Parameter importance", _figure("plot-importance", plots.importance())),
            ("duplicates", "Duplicates skipped and time saved", _figure("plot-duplicates", plots.duplicates(), "middling")),
            ("distribution", "Distribution of results", _figure("plot-distribution", plots.distribution())),
        ]
    parts.append(("runs", "Search runs", sections.runs(data)))
    if problems := sections.problems(data):
        parts.append(("problems", "What went wrong", problems))
    parts += [
        ("provenance", "Provenance", sections.provenance(data)),
        ("glossary", "Glossary", sections.glossary(data)),
    ]
    drawn = any("data-figure" in body for _, _, body in parts)
    return page(
        title=f"{meta.name} – designgym report",
        version=designgym.__version__,
        header=sections.header(data),
        sections=parts,
        footer=f"Written by designgym {escape(designgym.__version__)}. This file is self-contained: it loads nothing from elsewhere.",
        plotly_js=get_plotlyjs() if drawn else "",
    )


def _figure(name: str, figure: go.Figure, kind: str = "") -> str:
    """Return a figure with its caption; one without anything to draw becomes a sentence."""
    meta = figure.layout.meta
    if meta.get("empty"):
        return f'<p class="note">{escape(meta["caption"])}</p>'
    drawn = copy.deepcopy(figure)
    drawn.layout.title = None  # the page has its own heading and caption
    drawn.layout.height = meta["height"]
    drawn.layout.margin.t = 104 if any(trace.type == "parcoords" for trace in drawn.data) else 36
    return (
        f'<figure aria-labelledby="{name}-caption"><figcaption id="{name}-caption">{escape(meta["caption"])}</figcaption>'
        f'<div class="scroll {kind}"><div class="plot" id="{name}" role="img" aria-label="{escape(meta["title"])}" style="height:{meta["height"]}px"></div></div>'
        f'<script type="application/json" data-figure="{name}">{json_for_script(drawn.to_json() or "")}</script></figure>'
    )
