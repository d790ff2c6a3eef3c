"""The environments of the tables, and what each of them is asked to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.fingerprint import Fingerprint, fingerprint
from designgym.core.protocols import Simulator
from designgym.core.workload import Workload
from designgym.envs import environment

Answer = Callable[[Design, int, bool], Any]


@dataclass(frozen=True)
class Domain:
    """An environment as it is searched here.

    Attributes:
        id: Of the environment.
        workload: Its workload.
        metric: What is maximised.
        target: The value of the metric that counts as found.
        proposals: Proposals of a search.
        fidelity: Of the evaluations.
        population: Designs alive in the evolution.
        tournament: Designs drawn of which the best becomes the parent.
        options: Of the environment.
        answer: What the probe looks at, from a design, a number of canonical examples, and whether to take the canonical form first.
        mantissa_bits: That count in the environment's functional key.
        atol: Differences below this do not count there.
        examples: Canonical examples of the environment's functional key.
    """

    id: str
    workload: str
    metric: str
    target: float
    proposals: int
    fidelity: float = 1.0
    population: int = 100
    tournament: int = 10
    options: Mapping[str, Any] = field(default_factory=dict)
    answer: Answer | None = None
    mantissa_bits: int = 24
    atol: float = 1e-12
    examples: int = 10

    def simulator(self) -> Simulator:
        """Return the simulator with the options of this table."""
        return environment(self.id).simulator(**self.options)

    def load(self) -> Workload:
        """Return the workload."""
        return environment(self.id).workload(self.workload)

    def fingerprint(
        self, design: Design, *, mantissa_bits: int | None = None, examples: int | None = None, canonical: bool = True
    ) -> Fingerprint:
        """Return the fingerprint that the environment's probe takes, with other settings."""
        if self.answer is None:
            raise ValueError(f"{self.id} has no answer() here")
        bits = self.mantissa_bits if mantissa_bits is None else mantissa_bits
        answer = self.answer(design, self.examples if examples is None else examples, True)
        return fingerprint(answer, mantissa_bits=bits, atol=self.atol)


def program_answer(design: Design, examples: int, canonical: bool) -> Any:
    """Return what the probe of a program looks at."""
    from designgym.simulators.programs.canonical import canonical_program
    from designgym.simulators.programs.instructions import LISTS, pack
    from designgym.simulators.programs.probe import behaviour

    packed = pack([design[name] for name in LISTS])
    seen = behaviour(canonical_program(packed) if canonical else packed, _PROGRAM_FEATURES, examples=examples)
    return seen.answers, seen.stops


def expression_answer(design: Design, examples: int, canonical: bool) -> Any:
    """Return what the probe of an expression looks at, but for expressions that are hardly ever finite."""
    from designgym.simulators.symbolic.canonical import canonical_graph
    from designgym.simulators.symbolic.formulas import BY_ID
    from designgym.simulators.symbolic.graph import read_graph, values_of
    from designgym.simulators.symbolic.simulator import probed_points
    from designgym.simulators.symbolic.space import NODES

    formula = BY_ID[FORMULA]
    graph = read_graph(design[NODES], len(formula.variables))
    graph = canonical_graph(graph).graph if canonical else graph
    with np.errstate(all="ignore"):
        inputs, constants = ([column[:examples] for column in columns] for columns in probed_points(formula))
        values = np.broadcast_to(values_of(graph, inputs, constants)[graph.root], (examples,))
        return np.log(np.abs(values)), values < 0


FORMULA = "II.38.14"
_PROGRAM_FEATURES = 1
_PROGRAMS = Domain(
    "designgym/AutoMLZero-v0", f"linear-{_PROGRAM_FEATURES}", "fitness", 0.69, 20_000, answer=program_answer, mantissa_bits=32, atol=1e-30,
    options={"operations": "linear"},
)  # fmt: skip
DOMAINS: dict[str, Domain] = {
    "programs": _PROGRAMS,
    "cells": Domain(
        "designgym/NasCell-v0", "digits", "validation_accuracy", 0.97, 300, population=25, tournament=5,
    ),
    "expressions": Domain(
        "designgym/SymbolicRegression-v0", f"feynman-{FORMULA}", "accuracy", 0.99, 3000, options={"complexity": False},
        answer=expression_answer, mantissa_bits=36, examples=48,
    ),
}  # fmt: skip
