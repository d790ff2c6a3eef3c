"""What tuning again is worth when the GPUs change: number of GPUs and batch size of LLMs, after Martinez (2024, arXiv:2408.01050).

Run it: ``python examples/retuning.py [BUDGET]``; it writes ``retuning.html``. The two knobs are tried exhaustively for throughput, and per
GPU; then BUDGET designs of all engine arguments are searched for the price of a token under 64 users. Gains compare what was best on the
old GPUs with what is best on the new ones, both on the new ones. All figures are results of a model, not of machines: Martinez measured
9.16 % and 13.7 % on average after an upgrade and a downgrade, with other models, GPUs and engines.
"""

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go

import designgym as dg
from designgym.envs import environment, make_evaluator
from designgym.searchers.enumeration import Enumeration
from designgym.studies.figures.style import PALETTE, finish

MOVES = (("a100_sxm", "h100_sxm"), ("h100_sxm", "a100_sxm"), ("l40s", "h100_sxm"))
GPUS = tuple(dict.fromkeys(gpu for move in MOVES for gpu in move))
MODELS = (
    "meta-llama/Meta-Llama-3.1-8B", "meta-llama/Llama-2-13b-hf", "Qwen/Qwen3-32B", "meta-llama/Llama-2-70b-hf",
    "mistralai/Mixtral-8x7B-v0.1",
)  # fmt: skip
TWO_KNOBS, ENGINE = "designgym/BatchAndParallelism-v0", "designgym/VllmServing-v0"
USERS = "azure-conv:requests=192,users=64"
OBJECTIVE = dg.minimize("usd_per_million_tokens")


def grid(model: str, gpu: str) -> pd.DataFrame:
    """Return throughput and throughput per GPU of every design that fits."""
    evaluator = make_evaluator(TWO_KNOBS, options={"model": model, "gpu": gpu})
    space = evaluator.simulator.space
    every = Enumeration(space, levels=1)
    legal = [design for design in map(every.design, range(every.size)) if not space.violations(design)]
    trials = [trial for trial in evaluator.evaluate(legal) if trial.metrics.ok]
    columns = ("output_throughput_tps", "tokens_per_s_per_gpu")
    rows = [(*trial.design.values(), *(trial.metrics[name] for name in columns)) for trial in trials]
    return pd.DataFrame(rows, columns=[*space.parameters, *columns]).set_index(list(space.parameters))


def peaks(table: pd.Series) -> int:
    """Return how many designs beat all their neighbours: as many GPUs and the next batch size, or the same and half or twice the GPUs."""
    values = table.unstack("max_num_seqs").to_numpy()
    values = values[:, [True, *np.any(np.diff(np.nan_to_num(values), axis=1) != 0, axis=0)]]  # batches that are never reached are one
    padded = np.pad(np.nan_to_num(values, nan=-np.inf), 1, constant_values=-np.inf)
    inner = padded[1:-1, 1:-1]
    around = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    return int(np.sum(np.all([inner > each for each in around], axis=0) & np.isfinite(inner)))


def gain(old: pd.Series, new: pd.Series) -> float:
    """Return by how much the best of the new beats what was best of the old, in per cent; NaN if that does not fit any more."""
    kept = new[new.index == old.idxmax()] if len(old) else new[:0]
    return 100 * (new.max() / float(kept.iloc[0]) - 1) if len(kept) else float("nan")


def two_knobs() -> Iterator[dict[str, object]]:
    """Yield a row per model and move."""
    for model in MODELS:
        tables = {gpu: grid(model, gpu) for gpu in GPUS}
        for old, new in MOVES:
            row: dict[str, object] = {"model": model.partition("/")[2], "move": f"{old} to {new}"}
            for measure, name in (("output_throughput_tps", "throughput"), ("tokens_per_s_per_gpu", "per GPU")):
                row[f"{name}: gain (%)"] = gain(tables[old][measure], tables[new][measure])
                if len(tables[new]):
                    row[f"{name}: best (GPUs, batch)"] = tables[new][measure].idxmax()
                    row[f"{name}: peaks"] = peaks(tables[new][measure])
            yield row


def best_engine(model: str, gpu: str, budget: int) -> dg.Design | None:
    """Return the engine arguments with the cheapest tokens."""
    study = dg.Study(
        f"{model.partition('/')[2]}-{gpu}", ENGINE, workload=USERS, objective=OBJECTIVE, options={"model": model, "gpu": gpu},
        searchers=[dg.searchers.RegularizedEvolution(population=30)], budget=budget, store=":memory:",
    )  # fmt: skip
    found = study.run(backend="local", progress=False).best()
    return found.design if len(found) else None


def all_arguments(budget: int) -> Iterator[dict[str, object]]:
    """Yield a row per model and move, for all engine arguments; tuning knows what was best on the other GPUs, too."""
    workload = environment(ENGINE).workload(USERS)
    for model in MODELS:
        best = {gpu: design for gpu in GPUS if (design := best_engine(model, gpu, budget)) is not None}
        for old, new in MOVES:
            if old not in best or new not in best:  # requests are longer than the model's context, or it does not fit
                continue
            simulator = make_evaluator(ENGINE, options={"model": model, "gpu": new}).simulator
            results = dict(zip(best, simulator.evaluate(list(best.values()), workload), strict=True))
            kept = results[old]["usd_per_million_tokens"] if results[old].ok else float("nan")
            tuned = min(metrics["usd_per_million_tokens"] for metrics in results.values() if metrics.ok)
            row: dict[str, object] = {"model": model.partition("/")[2], "move": f"{old} to {new}", "$ per million tokens: kept": kept}
            yield row | {
                "tuned again": tuned,
                "gain (%)": 100 * (kept / tuned - 1),
                "kept does not run": "; ".join(results[old].reasons)[:60],
            }


def draw(knobs: pd.DataFrame, engine: pd.DataFrame) -> go.Figure:
    """Return gains by move: one point per model, and their mean."""
    figure = go.Figure()
    series = (
        ("two knobs, throughput", knobs, "throughput: gain (%)"),
        ("two knobs, throughput per GPU", knobs, "per GPU: gain (%)"),
        ("all arguments, price of a token", engine, "gain (%)"),
    )
    for (name, table, column), colour in zip(series, PALETTE, strict=False):
        figure.add_bar(
            x=[f"{a} to {b}" for a, b in MOVES], y=table.groupby("move", sort=False)[column].mean(), name=name, marker_color=colour
        )
    figure.update_layout(barmode="group")
    figure.update_yaxes(title="gain (%)")
    return finish(figure, "What tuning again is worth when the GPUs change", "Mean over models that run on both; results of a model.")


def main() -> None:
    """Print both tables and write the figure."""
    budget = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    knobs = pd.DataFrame(two_knobs())
    print(knobs.to_string(index=False, float_format=lambda x: f"{x:.1f}"))
    engine = pd.DataFrame(all_arguments(budget))
    print(engine.to_string(index=False, float_format=lambda x: f"{x:.3g}"))
    for name, table in (("two knobs", knobs), ("all arguments", engine)):
        numbers = table[["move", *(column for column in table if "gain" in str(column))]].groupby("move", sort=False).mean()
        print(f"\nmean over models, {name} (model results):\n{numbers.to_string(float_format=lambda x: f'{x:.1f}')}")
    draw(knobs, engine).write_html("retuning.html", include_plotlyjs=True)
    print("figure: retuning.html")


if __name__ == "__main__":
    main()
