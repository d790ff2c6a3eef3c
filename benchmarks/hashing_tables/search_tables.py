"""Searches under each kind of cache: to a target, and by the distribution of the proposals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hashing_tables.accounting import CACHES, Band, account, mean_band, ratio_band, steps_to
from hashing_tables.laboratory import STRATEGIES, Laboratory, Strategy, Trajectory

CURVE_POINTS = 40
RANDOM_SEEDS = 10  # of random search, at most
RANDOM_SHARE = 3  # random search is given a third of the proposals: its hit rates are known soon
CURVE_COLUMNS = (10, 30, 100, 300, 1000, 3000, 10_000)  # evaluations paid


def proposals_of(laboratory: Laboratory, strategy: Strategy) -> int:
    """Return how many proposals a search of that kind makes."""
    return laboratory.domain.proposals // (RANDOM_SHARE if strategy == "random" else 1)


def trajectories(laboratory: Laboratory, strategy: Strategy, seeds: int) -> list[Trajectory]:
    """Return the searches of that kind."""
    proposals, seeds = proposals_of(laboratory, strategy), min(seeds, RANDOM_SEEDS) if strategy == "random" else seeds
    return [laboratory.trajectory(seed, proposals, strategy=strategy) for seed in range(seeds)]


def search(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return `to_target` for evolution and random search and each target."""
    return pd.concat(
        to_target(trajectories(laboratory, strategy, seeds), strategy, target)
        for strategy in STRATEGIES
        for target in laboratory.domain.targets
    )


def to_target(runs: Sequence[Trajectory], strategy: str, target: float) -> pd.DataFrame:
    """Return, for each kind of cache, hit rate, evaluations and CPU seconds up to the target, or to the end where it is not reached."""
    ends = [steps_to(run.scores, target) for run in runs]
    rows = []
    paid_by: dict[str, list[float]] = {}
    cpu_by: dict[str, list[float]] = {}
    for cache in CACHES:
        accounts = [account(run, cache) for run in runs]
        paid = paid_by[cache] = [float(a.paid[:n].sum()) for a, (n, _) in zip(accounts, ends, strict=True)]
        cpu = cpu_by[cache] = [float(a.cpu_s[:n].sum()) for a, (n, _) in zip(accounts, ends, strict=True)]
        rows.append({
            "search": strategy, "proposals": f"{np.mean([len(run.canonical) for run in runs]):.0f}", "target": target,
            "reached": f"{sum(hit for _, hit in ends)}/{len(ends)}", "cache": cache,
            "hit rate (%)": f"{mean_band([100 * float(1 - a.paid.mean()) for a in accounts]):.1f}",
            "evaluations": f"{mean_band(paid):.0f}", "fewer": f"{ratio_band(paid_by['none'], paid):.2f}",
            "CPU (s)": f"{mean_band(cpu):.3g}", "less CPU": f"{ratio_band(cpu_by['none'], cpu):.2f}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def curves(laboratory: Laboratory, seeds: int) -> pd.DataFrame:
    """Return the best score of an evolution by evaluations paid, and how many proposals they served; nothing beyond a seed's last."""
    runs = trajectories(laboratory, "evolution", seeds)
    columns = [paid for paid in CURVE_COLUMNS if paid <= laboratory.domain.proposals]
    frame = curve(runs, columns, laboratory.domain.until).set_index(["cache", "evaluations"])
    rows = []
    for cache in CACHES:
        row: dict[str, object] = {"cache": cache}
        for paid in columns:
            at = frame.loc[(cache, paid)] if (cache, paid) in frame.index else None
            row[str(paid)] = "" if at is None else f"{Band(at['best'], at['low'], at['high']):.3f} ({at['proposals']:.0f})"
        rows.append(row)
    return pd.DataFrame(rows)


def curve(runs: Sequence[Trajectory], points: Sequence[int], until: float) -> pd.DataFrame:
    """Return the best score at numbers of evaluations paid, mean over seeds with its band; a row per cache and number.

    A search that has found what it was to find keeps that; beyond the end of one that has not there is no row.
    """
    rows = []
    for cache in CACHES:
        best, paid = [], []
        for run in runs:
            best.append(np.maximum.accumulate(run.scores))
            paid.append(np.cumsum(account(run, cache).paid))
        for point in points:
            if all(p[-1] >= point or b[-1] >= until for p, b in zip(paid, best, strict=True)):
                at = [int(np.searchsorted(p, point, "right")) - 1 for p in paid]
                band = mean_band([float(b[i]) for b, i in zip(best, at, strict=True)])
                rows.append({
                    "cache": cache, "evaluations": point, "proposals": float(np.mean(at)) + 1,
                    "best": band.mean, "low": band.low, "high": band.high,
                })  # fmt: skip
    return pd.DataFrame(rows)


def save_curves(laboratory: Laboratory, seeds: int, folder: Path) -> None:
    """Write the curves of both kinds of search into a folder, as CSV and as pages."""
    for strategy in STRATEGIES:
        most = proposals_of(laboratory, strategy)
        points = np.unique(np.geomspace(1, most, CURVE_POINTS).astype(int)).tolist()
        frame = curve(trajectories(laboratory, strategy, seeds), points, laboratory.domain.until)
        title = f"{laboratory.domain.id}, {strategy}: best {laboratory.domain.metric} against evaluations paid"
        for suffix in ("csv", "html"):
            write_curves(frame, title, folder / f"{laboratory.domain.id.rpartition('/')[2]}-{strategy}.{suffix}")


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
    rows, proposals = [], laboratory.domain.proposals
    usual, drawn = laboratory.domain.population, laboratory.domain.tournament
    compared: tuple[tuple[Strategy, int, int], ...] = (
        ("random", 0, 0), ("evolution", usual // 4, drawn // 2), ("evolution", usual, 2), ("evolution", usual, drawn),
        ("evolution", usual, usual // 2), ("evolution", 4 * usual, drawn),
    )  # fmt: skip
    for strategy, population, tournament in compared:
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
