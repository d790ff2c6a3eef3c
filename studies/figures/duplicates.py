"""What became of each searcher's proposals: measured, recognised, illegal or failed; and the time that recognition saved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from designgym.studies.figures.data import StudyData
from designgym.studies.figures.style import PALETTE, empty, finish, safe
from designgym.studies.figures.units import duration

KINDS: dict[str, str] = {
    "measured": PALETTE[0],
    "audited": PALETTE[4],
    "exact hit": PALETTE[2],
    "functional hit": "#7BC8A4",
    "refused": "#C9CED6",
    "failed": PALETTE[1],
}
PALE = ("audited", "functional hit", "refused")  # dark text stands out on these
MEANING = {
    "measured": "measured",
    "audited": "measured to check a fingerprint",
    "exact hit": "recognised, equivalent design",
    "functional hit": "recognised, same behaviour",
    "refused": "illegal (not run)",
    "failed": "failed or timed out",
}


@dataclass(frozen=True)
class Split:
    """The proposals of one searcher.

    Attributes:
        counts: Proposals by kind (the keys of `KINDS`), all different.
        duplicates: Proposals that cost no budget.
        saved_s: Seconds saved by serving hits, less probing.
        probe_s: Seconds spent on probes.
    """

    counts: dict[str, int]
    duplicates: int
    saved_s: float
    probe_s: float

    @property
    def proposals(self) -> int:
        """All proposals."""
        return sum(self.counts.values())

    @property
    def hits(self) -> int:
        """Proposals that were recognised."""
        return self.counts["exact hit"] + self.counts["functional hit"]


def splits_of(data: StudyData) -> dict[str, Split]:
    """Return what became of each searcher's proposals."""
    status, obtained = data.frame["status"].astype(str).to_numpy(), data.frame["obtained"].astype(str).to_numpy()
    kind = np.where(np.isin(status, ["failed", "timeout"]), "failed", obtained)
    result = {}
    for label in data.labels:
        rows = data.label == label
        runs = set(data.frame["run"][rows])
        probe_s = sum(run.probe_s for run in data.meta.runs if run.run in runs)
        counts = {name: int((kind[rows] == name).sum()) for name in KINDS}
        result[label] = Split(counts, int(data.duplicate[rows].sum()), float(data.saved[rows].sum()) - probe_s, probe_s)
    return result


def figure(data: StudyData, *, dark: bool = False) -> go.Figure:
    """Draw the proposals of each searcher by what became of them.

    Args:
        data: The study.
        dark: Whether it will stand on a dark ground.
    """
    title = "Proposals recognised, and time saved"
    splits = splits_of(data)
    if not len(data.frame):
        return empty(title, "No trial yet, so there is no proposal to sort.", dark=dark)
    labels = list(reversed(data.labels))
    fig = go.Figure()
    for kind, color in KINDS.items():
        counts = [splits[label].counts[kind] for label in labels]
        if not any(counts):
            continue
        shares = [100 * count / max(splits[label].proposals, 1) for label, count in zip(labels, counts, strict=True)]
        ink = "#1F2933" if kind in PALE else "white"
        fig.add_bar(
            y=[safe(label, 28) for label in labels], x=shares, orientation="h", name=MEANING[kind],
            marker={"color": color, "line": {"width": 0}}, textfont={"size": 12, "color": ink}, textangle=0, textposition="inside",
            text=[f"{count:,}" if share >= 4 else "" for count, share in zip(counts, shares, strict=True)],
            insidetextanchor="middle", constraintext="none", customdata=counts,
            hovertemplate=f"%{{y}}: %{{customdata:,}} proposals (%{{x:.1f}} %) {MEANING[kind]}<extra></extra>",
        )  # fmt: skip
    for label in labels:
        split = splits[label]
        saved = f"{duration(split.saved_s)} saved" if split.saved_s >= 0 else f"{duration(-split.saved_s)} lost to probing"
        fig.add_annotation(
            x=1.01, xref="paper", y=safe(label, 28), text=f"{split.duplicates:,} duplicates<br>{saved}", showarrow=False,
            xanchor="left", align="left",
            font={"size": 12},
        )  # fmt: skip
    fig.update_layout(barmode="stack", bargap=0.38, legend_traceorder="normal")
    fig.update_xaxes(title_text="share of the searcher's proposals (%)", range=[0, 100])
    fig.update_yaxes(showgrid=False, ticklen=0, ticklabelstandoff=6, showline=False)
    everything = list(splits.values())
    hits, total = sum(split.hits for split in everything), sum(split.proposals for split in everything)
    duplicates = sum(split.duplicates for split in everything)
    saved_s = max(sum(split.saved_s for split in everything), 0.0)
    caption = (
        f"Of {total:,} proposals {duplicates:,} were duplicates within their run and cost no budget; {hits:,} were answered without a "
        f"simulation, which saved {duration(saved_s)} (time of measuring, less serving and probing). Numbers in the bars: proposals."
    )
    finish(fig, title, caption, dark=dark, height=110 + 54 * len(labels))
    fig.update_layout(margin={"r": 150, "l": 40})
    return fig
