"""Archon's own design space: 18,750 designs, of which 9,576 are legal (arXiv 2409.15254, section 3.3 and appendix A.4)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from designgym.core.discrete import Categorical, Integer, Ordinal
from designgym.core.rules import Constraint
from designgym.core.space import DesignSpace
from designgym.simulators.archon.architecture import Architecture, Layer
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component

__all__ = ["FUSION_LAYERS", "MOST_GENERATORS", "paper_architecture", "paper_space"]

MOST_GENERATORS = 10
FUSION_LAYERS = 3
CONTEXT = 24
"""Candidates that a fuser has room for."""
WIDTHS = (0, 2, 4, 6, 8)
"""Fusers of an intermediate layer; 0 is no layer.

The paper counts 18,750 = 10 x 5 x 5^3 x 3 designs and 9,576 = 38 x 84 x 3 legal ones, but names the widths 2 to 10, which are five without
the absent one. 84 of 125 come about with an absent layer and four widths, of which at least one is present and none follows an absent one
(4 + 16 + 64): that is inferred, as is which four they are.
"""


def paper_space() -> DesignSpace:
    """Return the space: how many of the best models generate, how many samples each, three fusion layers, and the evaluation."""
    return DesignSpace(
        generators=Integer(1, MOST_GENERATORS, default=1),
        samples=Integer(1, 5, default=1),
        fusers_1=Ordinal(*WIDTHS, default=WIDTHS[1]),
        fusers_2=Ordinal(*WIDTHS, default=0),
        fusers_3=Ordinal(*WIDTHS, default=0),
        evaluation=Categorical("none", "verifier", "unit_tests", default="none"),
        version="1",
        constraints=[
            Constraint(f"generators * samples <= {CONTEXT}", f"a fuser has room for at most {CONTEXT} candidates (generators x samples)"),
            Constraint("fusers_1 > 0", "at least one intermediate layer of fusers must be there: set fusers_1"),
            Constraint("fusers_2 > 0 or fusers_3 == 0", "a layer of fusers cannot follow one that is absent: set fusers_2 before fusers_3"),
        ],
    )


def paper_architecture(design: Mapping[str, Any], models: Sequence[str], judge: str) -> Architecture:
    """Return the architecture of a design: a critic and a ranker before every layer of fusers, the evaluation before the last fuser.

    Args:
        design: A design of `paper_space`.
        models: Names of models, best first: generators and fusers of a layer take the first ones, in turn if they are more.
        judge: The model that criticises, ranks, checks, writes tests, and fuses last.
    """

    def one(kind: str, model: str = judge, **settings: Any) -> Component:
        return Component.make(KINDS[kind], model, **settings)

    def best(count: int) -> list[str]:
        return list(itertools.islice(itertools.cycle(models), count))

    layers: list[Layer] = [tuple(one("generator", model, samples=design["samples"]) for model in best(design["generators"]))]
    for n in range(1, FUSION_LAYERS + 1):
        if width := design[f"fusers_{n}"]:
            layers += [(one("critic"),), (one("ranker"),), tuple(one("fuser", model) for model in best(width))]
    layers += [(one("critic"),), (one("ranker"),)]
    if design["evaluation"] == "verifier":
        layers.append((one("verifier"),))
    elif design["evaluation"] == "unit_tests":
        layers += [(one("unit_test_generator"),), (one("unit_test_evaluator"),)]
    return Architecture((*layers, (one("fuser"),)))
