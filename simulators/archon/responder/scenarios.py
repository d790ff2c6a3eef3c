"""The architectures behind Archon's published figures, and what the responder says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from designgym.simulators.archon.architecture import Architecture, Layer
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component
from designgym.simulators.archon.responder.difficulty import of_skill, variables
from designgym.simulators.archon.responder.profiles import models
from designgym.simulators.archon.responder.running import final, run
from designgym.simulators.archon.responder.stages import FILTERS, fused, pooled
from designgym.simulators.archon.responder.tables import records, table
from designgym.simulators.archon.responder.world import World

__all__ = ["ARCHON", "Figure", "figures", "made"]

ARCHON = ("mt-bench", "alpaca-eval", "arena-hard", "mixeval", "mixeval-hard", "math", "code-contests")
OPEN = (
    "qwen2-72b", "qwen1.5-72b", "qwen1.5-110b", "deepseek-llm-67b", "wizardlm-2-8x22b", "mixtral-8x22b", "llama-3.1-70b", "llama-3.1-405b",
)  # fmt: skip
"""The open models of 67 billion parameters or more that skills are published of: the paper does not name its eight."""
JUDGES = {
    "arena-hard": "wizardlm-2-8x22b", "mixeval-hard": "llama-3.1-70b", "code-contests": "llama-3.1-70b",
}  # fmt: skip
"""The open model that fuses best (Archon, table 35), where it is not Qwen2 72B: a guess at who judged and fused for open models."""
FIGURE_JUDGE = "qwen2-72b"  # ranker and fuser of the paper's figures 3 and 4
SMALL = "open-7b"
WEAKER = 0.98  # skill of each of ten small models, in that of the one before: a guess
Array = NDArray[np.float64]


class Figure(NamedTuple):
    """A published figure.

    Attributes:
        group: Where it belongs.
        task: The benchmark.
        model: Who generates, or judges.
        composition: What was put together, in words.
        value: The figure in percent: a gain over one sample if it is one, else a score.
        simulate: Returns the responder's value for it, in percent.
        deviation: Percent that the figure may be off, to weigh it in the fit.
    """

    group: str
    task: str
    model: str
    composition: str
    value: float
    simulate: Callable[[World], float]
    deviation: float


def made(kind: str, model: str = "", **settings: object) -> Component:
    """Return a component by the name of its kind."""
    return Component.make(KINDS[kind], model, **settings)


def composed(composition: str, generators: Layer, judge: str) -> Architecture:
    """Return an architecture by its letters, such as E+C+R+F: ensemble, critic, ranker, verifier, unit tests, fuser."""
    layers: list[Layer] = [generators]
    letters = composition.split("+")
    for letter in letters[1:]:
        match letter:
            case "U":
                layers += [(made("unit_test_generator", judge),), (made("unit_test_evaluator", judge),)]
            case "R":
                layers.append((made("ranker", judge),))
            case _:
                layers.append((made({"C": "critic", "V": "verifier", "F": "fuser"}[letter], judge),))
    return Architecture(tuple(layers))


def best(benchmark: str, among: tuple[str, ...] | list[str]) -> list[str]:
    """Return models by their skill on a benchmark, best first; those without are left out."""
    known = models()
    having = [name for name in among if benchmark in known[name].skill]
    return sorted(having, key=lambda name: (-known[name].skill[benchmark], name))


def percent(architecture: Architecture, world: World) -> float:
    """Return the mean score, percent."""
    return 100 * float(final(run(architecture, world)).mean())


def _gain(architecture: Architecture, single: str) -> Callable[[World], float]:
    alone = Architecture.of(made("generator", single))
    return lambda world: percent(architecture, world) - percent(alone, world)


def _once(names: list[str]) -> Layer:
    return tuple(made("generator", name) for name in names)


def compositions(benchmark: str) -> Iterator[Figure]:
    """Yield the gains of compositions over one sample (Archon, tables 5 to 9)."""
    rows = table("figures/compositions")
    rows = rows[rows["benchmark"] == benchmark]
    for generators, group in rows.groupby("generators", sort=False):
        scores = dict(zip(group["composition"], group["score_pct"], strict=True))
        alone = scores.pop("one sample")
        if generators == "open-8":
            names = best(benchmark, OPEN)
            judge, first, single = JUDGES.get(benchmark, FIGURE_JUDGE), _once(names), names[0]
        else:
            judge = single = str(generators)
            first = (made("generator", single, samples=10),)
        for composition, score in scores.items():
            built = composed(str(composition), first, judge)
            yield Figure("compositions", benchmark, str(generators), str(composition), score - alone, _gain(built, single), 1.2)


def fusers(benchmark: str) -> Iterator[Figure]:
    """Yield the gains of fusing ten candidates over the fuser's own single answer (Archon, table 35)."""
    rows = table("figures/single_models")
    ten = best(benchmark, [name for name in models() if name != SMALL])[:10]
    for row in records(rows[(rows["benchmark"] == benchmark) & rows["fuser_pct"].notna() & rows["generator_pct"].notna()]):
        model = str(row.model)
        built = composed("E+F", _once(ten), model)
        yield Figure("fusers", benchmark, model, "ten models + F", row.fuser_pct - row.generator_pct, _gain(built, model), 2.5)


def layers(benchmark: str) -> Iterator[Figure]:
    """Yield the gains of layers over one sample (Archon v1, figures 5 and 8)."""
    names = best(benchmark, OPEN)
    judge = JUDGES.get(benchmark, FIGURE_JUDGE)
    many: Layer = tuple(made("fuser", name) for name in names)
    critic, last = (made("critic", judge),), (made("fuser", judge),)
    eight = _once(names)
    shapes: dict[str, list[Layer]] = {
        "8 samples + F": [(made("generator", names[0], samples=8),), last],
        "8 models + F": [eight, last],
        "8 models + C + F": [eight, critic, last],
        "8 models + C + 1x8F + F": [eight, critic, many, last],
        "8 models + C + 3x8F + F": [eight, critic, many, many, many, last],
        "8 models + 3x(C + 8F) + F": [eight, critic, many, critic, many, critic, many, last],
    }
    for n in range(1, 8):
        shapes[f"{n} fusion layer{'s' if n > 1 else ''}"] = [eight, *[many] * (n - 1), last]
    rows = table("figures/layers")
    rows = rows[rows["benchmark"] == benchmark]
    alone = float(records(rows[rows["composition"] == "one sample"])[0].score_pct)
    for row in records(rows[rows["composition"] != "one sample"]):
        built = Architecture(tuple(shapes[str(row.composition)]))
        yield Figure("layers", benchmark, "open-8", str(row.composition), float(row.score_pct) - alone, _gain(built, names[0]), 2.0)


def _sized(world: World, method: str, parts: list[tuple[Array, int, float, str]]) -> float:
    pool = pooled(parts)
    if method == "oracle":
        return 100 * float(pool.any_right().mean())
    if method != "fuser":
        ranker = made("ranker", FIGURE_JUDGE, top_k=5)
        pool = FILTERS["ranker"](ranker, pool, world)
    if method != "ranker":
        pool = fused([made("fuser", FIGURE_JUDGE)], pool, world)
    return 100 * float(pool.first_right().mean())


def pool_sizes(benchmark: str) -> Iterator[Figure]:
    """Yield scores by the number of candidates (Archon v1, figures 3 and 4), as gains over the first candidate alone."""
    rows = table("figures/pool_sizes")
    rows = rows[(rows["benchmark"] == benchmark) & (rows["candidates"] > 1)]
    for row in records(rows[rows["method"] != "random"]):
        skills = _skills(benchmark, str(row.pool), int(row.candidates))

        def simulate(
            world: World, method: str = str(row.method), skills: list[float] = skills, alike: bool = row.pool == "samples"
        ) -> float:
            m = world.mechanisms
            parts = []
            for i, skill in enumerate(skills):
                name = "wizardlm-2-8x22b" if alike else f"model {i + 1} of figure 4"
                z = variables(world.questions, name, "mistral" if alike else name, m.between)
                p = world.probability(of_skill(skill, z, m.correlation))
                parts.append((p, 1, 0.0, name))
            return _sized(world, method, parts) - 100 * skills[0]

        what = f"{row.candidates} {row.pool}, {row.method}"
        yield Figure(
            "pool sizes",
            benchmark,
            FIGURE_JUDGE,
            what,
            float(row.score_pct) - 100 * skills[0],
            simulate,
            10.0 if row.method == "oracle" else 2.5,
        )


def _skills(benchmark: str, pool: str, count: int) -> list[float]:
    """Return the skill of each candidate: of the models, as their published running mean tells it."""
    rows = table("figures/pool_sizes")
    means = rows[(rows["benchmark"] == benchmark) & (rows["pool"] == pool) & (rows["method"] == "random")]
    if pool == "samples":
        return [float(records(means)[0].score_pct) / 100] * count
    sums = np.interp(np.arange(count + 1), [0, *means["candidates"]], [0.0, *(means["candidates"] * means["score_pct"])])
    return [float(value) / 100 for value in np.diff(sums)]


def small_models(benchmark: str) -> Iterator[Figure]:
    """Yield the gains of ten candidates of the best 7B model, or of ten such models, over one sample (Archon, table 38).

    The models are not named: ten are taken to be each a little weaker than the one before.
    """
    rows = table("figures/small_models")
    scores = {str(row.composition): float(row.score_pct) for row in records(rows[rows["benchmark"] == benchmark])}
    if not scores:
        return
    alone = scores["best 7B"]
    single = made("generator", SMALL)
    shapes: dict[str, list[Component]] = {
        "ten samples + R": [made("ranker", SMALL)],
        "ten models + R": [made("ranker", SMALL)],
        "ten models + F": [made("fuser", SMALL)],
        "ten models + C + F": [made("critic", SMALL), made("fuser", SMALL)],
    }
    for composition, parts in shapes.items():

        def simulate(world: World, parts: list[Component] = parts, alike: bool = composition.startswith("ten samples")) -> float:
            m, name = world.mechanisms, ""
            drawn = []
            for i in range(10):
                name = SMALL if alike else f"small model {i + 1}"
                z = variables(world.questions, name, "mistral" if alike else name, m.between)
                skill = alone / 100 * (1 if alike else WEAKER**i)
                drawn.append((world.probability(of_skill(skill, z, m.correlation)), 1, 0.0, name))
            pool = pooled(drawn)
            for part in parts:
                pool = fused([part], pool, world) if part.type == "fuser" else FILTERS[part.type](part, pool, world)
            return 100 * float(pool.first_right().mean()) - percent(Architecture.of(single), world)

        yield Figure("small models", benchmark, SMALL, composition, scores[composition] - alone, simulate, 2.0)


def figures(benchmark: str) -> list[Figure]:
    """Return all figures of one of Archon's benchmarks."""
    found = [*compositions(benchmark), *fusers(benchmark), *layers(benchmark)]
    found += small_models(benchmark)
    return found + (list(pool_sizes(benchmark)) if benchmark in set(table("figures/pool_sizes")["benchmark"]) else [])


def compared(world: World) -> pd.DataFrame:
    """Return the figures of the world's benchmark with what the responder says."""
    rows = [(f.group, f.task, f.model, f.composition, f.value, f.simulate(world)) for f in figures(world.benchmark.name)]
    return pd.DataFrame(rows, columns=["group", "task", "model", "composition", "figure_pct", "simulated_pct"])
