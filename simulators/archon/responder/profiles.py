"""What is known of single models and of benchmarks: skill, speed, price, length of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from designgym.core.errors import UnknownNameError
from designgym.simulators.archon.prices import Price
from designgym.simulators.archon.responder.tables import records, table

__all__ = ["Benchmark", "ModelProfile", "benchmark_named", "benchmarks", "models"]


@dataclass(frozen=True)
class ModelProfile:
    """A model, as the responder knows it.

    Attributes:
        name: As architectures name it.
        title: Name and version in words.
        family: Who made it: models of one family find the same questions hard.
        open: Whether its weights are public.
        skill: By benchmark, the share from 0 to 1 of single answers that are right, or win against the benchmark's reference.
        skill_source: By benchmark, where that was published, or that it is a guess.
        tokens_per_s: Tokens written per second.
        first_token_s: Seconds until the first one.
        price: USD per million tokens, with source and date.
        answer_tokens: Mean tokens of an answer to a question of Arena-Hard.
        tokens_source: Where the length was published.
        speed_source: Where the speed was published.
    """

    name: str
    title: str
    family: str
    open: bool
    skill: Mapping[str, float]
    skill_source: Mapping[str, str]
    tokens_per_s: float
    first_token_s: float
    price: Price
    answer_tokens: float
    tokens_source: str
    speed_source: str


@dataclass(frozen=True)
class Benchmark:
    """A set of questions.

    Attributes:
        name: Its name.
        outcome: ``win`` if answers are compared with a reference's, ``right`` if they are right or wrong.
        question_tokens: Mean tokens of a question with its prompt.
        length_factor: Tokens of an answer, in those of an answer to a question of Arena-Hard.
        roles_of: The benchmark whose figures tell how models judge and fuse here.
        source: Where lengths come from.
    """

    name: str
    outcome: Literal["win", "right"]
    question_tokens: float
    length_factor: float
    roles_of: str
    source: str


@cache
def _benchmarks() -> Mapping[str, Benchmark]:
    rows = table("benchmarks").to_dict("records")
    found = {
        str(row["benchmark"]): Benchmark(**{("name" if key == "benchmark" else str(key)): value for key, value in row.items()})
        for row in rows
    }
    return MappingProxyType(found)


def benchmarks() -> tuple[str, ...]:
    """Return the names of the benchmarks: Archon's seven, then the tasks of repeated sampling."""
    return tuple(_benchmarks())


def benchmark_named(name: str) -> Benchmark:
    """Return a benchmark; raises `InputError` if there is none of that name."""
    known = _benchmarks()
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError("benchmark of the simulated responder", name, known)
    return known[name]


@cache
def models() -> Mapping[str, ModelProfile]:
    """Return the models by name."""
    skills: dict[str, dict[str, tuple[float, str]]] = {}
    for row in records(table("skills")):
        skills.setdefault(str(row.model), {})[str(row.benchmark)] = (float(str(row.skill_pct)) / 100, str(row.source))
    for row in table("difficulties").to_dict("records"):
        skills.setdefault(str(row["model"]), {})[str(row["task"])] = (_mean(row), str(row["source"]))
    found = {}
    for row in table("models").to_dict("records"):
        known = skills.get(str(row["model"]), {})
        found[str(row["model"])] = ModelProfile(
            name=str(row["model"]), title=str(row["title"]), family=str(row["family"]), open=bool(row["open"]),
            skill=MappingProxyType({name: value for name, (value, _) in known.items()}),
            skill_source=MappingProxyType({name: source for name, (_, source) in known.items()}),
            tokens_per_s=float(row["tokens_per_s"]), first_token_s=float(row["first_token_s"]),
            price=Price(float(row["usd_per_million_input"]), float(row["usd_per_million_output"]), str(row["price_source"])),
            answer_tokens=float(row["answer_tokens"]), tokens_source=str(row["tokens_source"]), speed_source=str(row["speed_source"]),
        )  # fmt: skip
    return MappingProxyType(found)


def _mean(row: Mapping[Any, Any]) -> float:
    """Return the mean of a mixture of two beta distributions."""
    easy = row["alpha"] / (row["alpha"] + row["beta"])
    hard = row["hard_alpha"] / (row["hard_alpha"] + row["hard_beta"])
    return float(row["easy_share"] * easy + (1 - row["easy_share"]) * hard)
