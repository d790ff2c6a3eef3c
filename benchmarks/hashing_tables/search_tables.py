"""Searches under each kind of cache: to a target, and by the distribution of the proposals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hashing_tables.accounting import CACHES, account, mean_band, ratio_band, steps_to
from hashing_tables.laboratory import STRATEGIES, Laboratory, Strategy, Trajectory

CURVE_POINTS = 40
RANDOM_SHARE = 3  # random search is given a third of the proposals: its hit rates are known soon, and it finds nothing here
STUDY_SHARE = 6  # likewise a sixth to each search of a study
DISTRIBUTIONS: tuple[tuple[Strategy, int, int], ...] = (
    ("random", 0, 0), ("evolution", 25, 5), ("evolution", 100, 2), ("evolution", 100, 10), ("evolution", 100, 50), ("evolution", 400, 10),
)  # fmt: skip


def proposals_of(laboratory: Laboratory, strategy: Strategy) -> int:
    """Return how many proposals a search of that kind makes."""
    return laboratory.domain.proposals // (RANDOM_SHARE if strategy == "random" else 1)


def search(laboratory: Laboratory, seeds: int, curves_to: Path | None = None) -> pd.DataFrame:
    """Return `to_target` for evolution and random search; write the curves into a folder if there is one."""
    tables = []
    for strategy in STRATEGIES:
        runs = [laboratory.trajectory(seed, proposals_of(laboratory, strategy), strategy=strategy) for seed in range(seeds)]
        tables.append(to_target(laboratory, runs, strategy))
        if curves_to is not None:
            title = f"{laboratory.domain.id}, {strategy}: best {laboratory.domain.metric} against evaluations paid"
            for suffix in ("csv", "html"):
                name = f"{laboratory.domain.id.rpartition('/')[2]}-{strategy}.{suffix}"
                write_curves(curves(runs), title, curves_to / name)
    return pd.concat(tables)


def to_target(laboratory: Laboratory, trajectories: Sequence[Trajectory], strategy: str) -> pd.DataFrame:
    """Return, for each kind of cache, hit rate, evaluations and CPU seconds up to the target, or to the end where it is not reached."""
    ends = [steps_to(trajectory.scores, laboratory.domain.target) for trajectory in trajectories]
    rows = []
    paid_by: dict[str, list[float]] = {}
    cpu_by: dict[str, list[float]] = {}
    for cache in CACHES:
        accounts = [account(trajectory, cache) for trajectory in trajectories]
        paid = paid_by[cache] = [float(a.paid[:n].sum()) for a, (n, _) in zip(accounts, ends, strict=True)]
        cpu = cpu_by[cache] = [float(a.cpu_s[:n].sum()) for a, (n, _) in zip(accounts, ends, strict=True)]
        rows.append({
            "search": strategy, "proposals": len(trajectories[0].canonical), "reached": sum(hit for _, hit in ends), "cache": cache,
             "hit rate (%)": f"{mean_band([100 * float(1 - a.paid.mean()) for a in accounts]):.1f}",
            "evaluations": f"{mean_band(paid):.0f}", "fewer": f"{ratio_band(paid_by['none'], paid):.2f}",
            "CPU (s)": f"{mean_band(cpu):.3g}", "less CPU": f"{ratio_band(cpu_by['none'], cpu):.2f}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def curves(trajectories: Sequence[Trajectory]) -> pd.DataFrame:
    """Return the best score against evaluations paid, mean over seeds with its band, one row per cache and number of evaluations."""
    most = max(len(trajectory.canonical) for trajectory in trajectories)
    points = np.unique(np.geomspace(1, most, CURVE_POINTS).astype(int))
    rows = []
    for cache in CACHES:
        best, paid = [], []
        for trajectory in trajectories:
            best.append(np.maximum.accumulate(trajectory.scores))
            paid.append(np.cumsum(account(trajectory, cache).paid))
        for point in points[points <= min(int(p[-1]) for p in paid)]:
            band = mean_band([float(b[np.searchsorted(p, point)]) for b, p in zip(best, paid, strict=True)])
            rows.append({"cache": cache, "evaluations": int(point), "best": band.mean, "low": band.low, "high": band.high})
    return pd.DataFrame(rows)


def write_curves(frame: pd.DataFrame, title: str, path: Path) -> None:
    """Write curves as CSV, or as a page with a figure if the name ends with ``.html``."""
    if path.suffix != ".html":
        frame.to_csv(path, index=False)
        return
    import plotly.express as px

    figure = px.line(frame, x="evaluations", y="best", color="cache", log_x=True, title=title)
    for trace in list(figure.data):
        part = frame[frame["cache"] == trace.name]
        figure.add_scatter(
            x=[*part["evaluations"], *part["evaluations"][::-1]], y=[*part["high"], *part["low"][::-1]], fill="toself", opacity=0.15,
            line={"width": 0}, fillcolor=trace.line.color, showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    figure.write_html(path, include_plotlyjs=True)


def distributions(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return hit rates over the last tenth of the proposals up to three moments, for random search and several evolutions."""
    rows, proposals = [], laboratory.domain.proposals // STUDY_SHARE
    for strategy, population, tournament in DISTRIBUTIONS:
        runs = [
            laboratory.trajectory(seed, proposals, strategy=strategy, population=population, tournament=tournament) for seed in range(seeds)
        ]
        name = strategy if strategy == "random" else f"evolution, population {population}, tournament {tournament}"
        for cache in ("literal", "canonical", "functional"):
            row: dict[str, object] = {"search": name, "cache": cache}
            accounts = [account(run, cache) for run in runs]
            for share in (0.1, 0.5, 1.0):
                stop = int(share * proposals)
                window = [100 * float(1 - a.paid[stop - proposals // 10 : stop].mean()) for a in accounts]
                row[f"hits before {stop} (%)"] = f"{mean_band(window):.1f}"
            row["hits in all (%)"] = f"{mean_band([100 * float(1 - a.paid.mean()) for a in accounts]):.1f}"
            row["best"] = f"{mean_band([max(run.scores) for run in runs]):.3f}"
            rows.append(row)
    return pd.DataFrame(rows)
