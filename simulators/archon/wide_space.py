"""A wider design space: any sources of candidates, then any number of stages that criticise, rank, check and fuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from designgym.core.canonical_form import CanonicalForm
from designgym.core.design import Design
from designgym.core.discrete import Categorical, Ordinal
from designgym.core.errors import InputError
from designgym.core.groups import Repeated
from designgym.core.rules import Condition, Constraint, Unordered
from designgym.core.space import DesignSpace
from designgym.simulators.archon.architecture import Architecture, Layer
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component

__all__ = ["SOURCES", "wide_architecture", "wide_space"]

SOURCES = ("generator", "plan_search", "plan_verify_code", "particle_filter", "iterative_deepening", "adaptive_stopping")
CHECKS = ("none", "verifier", "unit_tests", "python_tests", "best_of_n", "majority")
MOST_SOURCES, MOST_STAGES = 4, 4
AMOUNTS = (1, 2, 3, 4, 5, 8, 10, 16)
AMOUNT: Mapping[str, str] = {
    "generator": "samples", "plan_search": "samples", "particle_filter": "particles", "adaptive_stopping": "samples",
    "plan_verify_code": "rounds", "iterative_deepening": "rounds",
}  # fmt: skip
"""The setting of each source that says how much it does."""


def wide_space(models: Sequence[str], sources: Sequence[str] = ("generator",), checks: Sequence[str] = CHECKS) -> DesignSpace:
    """Return the space for some models.

    A source has a model, an amount (samples, particles, or rounds), and how its answers are drawn. A stage has, in this order and each
    optional, a critic, a ranker that keeps some, a check that keeps the best, and fusers.

    Args:
        models: Names of the models.
        sources: Kinds of sources, of `SOURCES`.
        checks: Kinds of checks, of `CHECKS`; none is always one.

    Raises:
        InputError: If there is no model, or a kind does not exist.
    """
    if not models or len(set(models)) != len(models):
        raise InputError(f"models are {list(models)}, expected one or more different names")
    for what, given, known in (("source", sources, SOURCES), ("check", checks, CHECKS)):
        if not given or not set(given) <= set(known):
            raise InputError(f"kinds of {what}s are {list(given)}, expected some of {', '.join(known)}")
    asking = [check for check in checks if check not in ("none", "majority")]
    source = DesignSpace(
        kind=Categorical(*sources),
        model=Categorical(*models),
        amount=Ordinal(*AMOUNTS),
        temperature=Ordinal(0.0, 0.3, 0.7, 1.0, 1.3, default=0.7),
        top_p=Ordinal(0.9, 0.95, 1.0, default=1.0),
    )
    stage = DesignSpace(
        critic=Categorical(False, True),
        keep=Ordinal(0, 1, 2, 3, 5, 8, default=0),
        check=Categorical("none", *(check for check in checks if check != "none")),
        judge=Categorical(*models),
        fusers=Ordinal(0, 1, 2, 4, 6, 8, default=1),
        fuser=Categorical(*models),
        conditions=[
            Condition("judge", " or ".join(["critic", "keep > 0", *(f"check == '{check}'" for check in asking)])),
            Condition("fuser", "fusers > 0"),
        ],
        constraints=[
            Constraint("not critic or keep > 0 or fusers > 0", "a critic comes before a ranker or fuser: set keep or fusers of its stage")
        ],
    )
    return DesignSpace(
        sources=Repeated(source, 1, MOST_SOURCES),
        stages=Repeated(stage, 0, MOST_STAGES),
        version="1",
        symmetries=[CanonicalForm(without_idle, ("sources", "stages"), version="1"), Unordered("sources")],
    )


def without_idle(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    """Return sources and stages without what has no effect, for `CanonicalForm`; `canonical.canonical` finds more, once it is built."""
    sources, stages = values
    kept = tuple(stage for stage in stages if stage["critic"] or stage["keep"] or stage["check"] != "none" or stage["fusers"])
    return _summed(sources), kept


def _summed(sources: tuple[Design, ...]) -> tuple[Design, ...]:
    """Return sources with equal generators in place of others that draw as many samples together: they draw the same answers."""
    totals: dict[Design, int] = {}
    others: list[Design] = []
    for source in sources:
        if source["kind"] == "generator":
            alone = Design({**source, "amount": 1})
            totals[alone] = totals.get(alone, 0) + source["amount"]
        else:
            others.append(source)
    for alone, total in totals.items():
        for amount in reversed(AMOUNTS):  # the largest first: never more parts than there were (checked by a test)
            while total >= amount:
                others.append(Design({**alone, "amount": amount}))
                total -= amount
    return tuple(others)


def wide_architecture(design: Mapping[str, Any]) -> Architecture:
    """Return the architecture of a design of `wide_space`."""

    def one(kind: str, model: str, **settings: Any) -> Component:
        return Component.make(KINDS[kind], model, **settings)

    layers: list[Layer] = [
        tuple(
            one(s["kind"], s["model"], temperature=s["temperature"], top_p=s["top_p"], **{AMOUNT[s["kind"]]: s["amount"]})
            for s in design["sources"]
        )
    ]
    for stage in design["stages"]:
        judge = stage["judge"]
        if stage["critic"]:
            layers.append((one("critic", judge),))
        if stage["keep"]:
            layers.append((one("ranker", judge, top_k=stage["keep"]),))
        match stage["check"]:
            case "unit_tests" | "python_tests":
                tests = "python" if stage["check"] == "python_tests" else "words"
                layers += [(one("unit_test_generator", judge, tests=tests),), (one("unit_test_evaluator", judge),)]
            case "majority":
                layers.append((one("majority", ""),))
            case "none":
                pass
            case check:
                layers.append((one(check, judge),))
        if stage["fusers"]:
            layers.append((one("fuser", stage["fuser"], samples=stage["fusers"]),))
    return Architecture(tuple(layers))
