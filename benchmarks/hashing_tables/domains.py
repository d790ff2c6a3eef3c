"""The environments of the tables, and what each of them is asked to reach."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.fingerprint import Fingerprint, fingerprint
from designgym.core.protocols import Simulator
from designgym.core.workload import Workload
from designgym.envs import environment

Answer = Callable[[Design, int, bool, int], Any]


@dataclass(frozen=True)
class Domain:
    """An environment as it is searched here.

    Attributes:
        id: Of the environment.
        workload: Its workload.
        metric: What is maximised.
        targets: Values of the metric that count as found: one that nearly all searches reach, and perhaps a harder one.
        proposals: Proposals of a search, at most.
        answer: What the probe looks at, from a design, a number of canonical examples, whether to take the canonical form first, and
            the number of a draw.
        seeds: Of evolution.
        study_seeds: Of studies, which search anew for each setting.
        until: The value of the metric at which a search ends; not in studies.
        fidelity: Of the evaluations.
        population: Designs alive in the evolution.
        tournament: Designs drawn of which the best becomes the parent.
        options: Of the environment.
        mantissa_bits: That count in the environment's functional key.
        atol: Differences below this do not count there.
        examples: Canonical examples of the environment's functional key.
        counts: Numbers of examples to be compared.
        draws: Numbers of draws (of a network's weights) to be compared, where the probe makes them.
        study_proposals: Proposals of each search of a study.
        study_fidelity: Of the evaluations in studies.
        noises: Standard deviations of an evaluation's score, in the study of noise.
        paid: Evaluations that each search pays for there.
        drawn: Random designs among which merges are looked for; 0 for `cells_with_twins`, since random cells hardly merge.
        brief: Passes of images through a network that are trained to see whether two are the same; 0 for whole evaluations.
    """

    id: str
    workload: str
    metric: str
    targets: tuple[float, ...]
    proposals: int
    answer: Answer
    seeds: int = 10
    study_seeds: int = 5
    until: float = math.inf
    fidelity: float = 1.0
    population: int = 100
    tournament: int = 10
    options: Mapping[str, Any] = field(default_factory=dict)
    mantissa_bits: int = 24
    atol: float = 1e-12
    examples: int = 10
    counts: tuple[int, ...] = (1, 2, 3, 5, 10, 20, 30)
    draws: tuple[int, ...] = ()
    study_proposals: int = 1000
    study_fidelity: float = 1.0
    noises: tuple[float, ...] = (0.02, 0.1)
    paid: int = 200
    drawn: int = 40_000
    brief: int = 0

    def studied(self) -> Domain:
        """Return the domain as studies search it: for each setting anew, and therefore shortly."""
        return replace(self, proposals=self.study_proposals, until=math.inf, fidelity=self.study_fidelity)

    def simulator(self) -> Simulator:
        """Return the simulator with the options of this table."""
        return environment(self.id).simulator(**self.options)

    def load(self) -> Workload:
        """Return the workload."""
        return environment(self.id).workload(self.workload)

    def fingerprint(self, design: Design, *, mantissa_bits: int | None = None, examples: int | None = None, draws: int = 1) -> Fingerprint:
        """Return the fingerprint that the environment's probe takes, with other settings."""
        bits = self.mantissa_bits if mantissa_bits is None else mantissa_bits
        asked = self.examples if examples is None else examples
        answers = [self.answer(design, asked, True, draw) for draw in range(draws)]
        return fingerprint(answers, mantissa_bits=bits, atol=self.atol)


def program_answer(design: Design, examples: int, canonical: bool, draw: int = 0) -> Any:
    """Return what the probe of a program looks at."""
    from designgym.simulators.programs.canonical import canonical_program
    from designgym.simulators.programs.instructions import LISTS, pack
    from designgym.simulators.programs.probe import behaviour

    packed = pack([design[name] for name in LISTS])
    seen = behaviour(canonical_program(packed) if canonical else packed, _PROGRAM_FEATURES, examples=examples)
    return seen.answers, seen.stops, seen.moves


def expression_answer(design: Design, examples: int, canonical: bool, draw: int = 0) -> Any:
    """Return what the probe of an expression looks at."""
    from designgym.simulators.symbolic.canonical import canonical_graph
    from designgym.simulators.symbolic.formulas import BY_ID
    from designgym.simulators.symbolic.graph import read_graph, values_of
    from designgym.simulators.symbolic.simulator import FEWEST_FINITE, probed_points
    from designgym.simulators.symbolic.space import NODES

    formula = BY_ID[FORMULA]
    graph = read_graph(design[NODES], len(formula.variables))
    graph = canonical_graph(graph).graph if canonical else graph
    with np.errstate(all="ignore"):
        inputs, constants = ([column[:examples] for column in columns] for columns in probed_points(formula.id, formula.ranges))
        values = np.broadcast_to(values_of(graph, inputs, constants)[graph.root], (examples,))
        if np.count_nonzero(np.isfinite(values)) < min(FEWEST_FINITE, examples):
            return list(graph.nodes), graph.root
        return np.log(np.abs(values)), values < 0


def cell_answer(design: Design, examples: int, canonical: bool, draw: int = 0) -> Any:
    """Return what the probe of a cell looks at."""
    from designgym.simulators.nas.cell import Cell
    from designgym.simulators.nas.network import CellNetwork
    from designgym.simulators.nas.probing import answer
    from designgym.simulators.nas.space import cell_space

    task = environment(_CELLS).workload(_IMAGES).data
    network = CellNetwork(Cell.of_design(cell_space().canonical(design)), task.shape, task.classes)
    return answer(network, replace(task, train=examples), draw), network.parameters, network.macs


FORMULA = "II.38.14"
_CELLS, _IMAGES = "designgym/NasCell-v0", "digits"
_PROGRAM_FEATURES = 1
_PROGRAMS = Domain(
    "designgym/AutoMLZero-v0", f"linear-{_PROGRAM_FEATURES}", "fitness", (0.69,), 80_000, program_answer, until=0.69,
    mantissa_bits=32, atol=1e-30, options={"operations": "linear"}, study_proposals=2000, drawn=10_000,
)  # fmt: skip
DOMAINS: dict[str, Domain] = {
    "programs": _PROGRAMS,
    "cells": Domain(
        _CELLS, _IMAGES, "validation_accuracy", (0.96, 0.97), 300, cell_answer, seeds=20, study_seeds=4, population=25,
        tournament=5, counts=(1, 2, 3, 5, 10), draws=(2, 4), study_proposals=100,
        study_fidelity=0.125, noises=(0.02,), paid=45, drawn=0, brief=150,
    ),
    "expressions": Domain(
        "designgym/SymbolicRegression-v0", f"feynman-{FORMULA}", "accuracy", (0.7, 0.99), 8000, expression_answer, seeds=12, study_seeds=10,
        mantissa_bits=36, examples=48, counts=(1, 2, 3, 5, 10, 20, 48), options={"complexity": False},
        study_proposals=500, noises=(0.05,), paid=300,
    ),
}  # fmt: skip
