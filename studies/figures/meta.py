"""What a figure must know about a study besides its trials: names, the objective, units, and how its runs ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from designgym.core.design import Design
from designgym.core.metrics import Goal, MetricSpec
from designgym.core.objectives import Objective
from designgym.core.parameters import DiscreteParameter
from designgym.core.terms import Bound
from designgym.hashing.evidence import Evidence
from designgym.studies.figures.units import unit_of_expression

if TYPE_CHECKING:
    from designgym.core.space import DesignSpace


@dataclass(frozen=True)
class TermMeta:
    """One optimised quantity.

    Attributes:
        expression: The expression over metrics, as text.
        goal: ``min`` or ``max``.
        label: The name as shown.
        unit: Its unit; ``"1"`` for counts and ratios, empty if unknown.
    """

    expression: str
    goal: Goal
    label: str
    unit: str = ""


@dataclass(frozen=True)
class RunMeta:
    """How one search run ended.

    Attributes:
        run: Run identifier, as in the frame.
        searcher: Searcher label.
        seed: Seed of the run.
        stop_reason: Why it stopped, in words.
        wall_s: Wall time of the run in seconds; 0 if unknown.
        probe_s: Seconds spent on fingerprint probes; 0 if none were made.
        error: What went wrong, for a run that failed.
        fingerprints: What audits found out about its fingerprints.
    """

    run: str
    searcher: str
    seed: int
    stop_reason: str = ""
    wall_s: float = 0.0
    probe_s: float = 0.0
    error: str = ""
    fingerprints: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True)
class StudyMeta:
    """A study in words and units, for figures and reports. Make it with `StudyMeta.of`, or field by field.

    Attributes:
        name: Name of the study.
        env: Environment id.
        workload: Workload name.
        objective: The objective in words, directions included.
        terms: The optimised quantities.
        bounds: The constraints.
        kind: Class name of the objective: ``SingleObjective``, ``ParetoObjective`` ...
        reference: Reference point of a multi-objective study, by term label.
        units: Units by column (``metrics.energy_pj``, ``design.ways``); a frame's own ``attrs["units"]`` come first.
        goals: ``min`` or ``max`` by metric name, where one way is better in general.
        docs: One line per metric.
        space: The design space: what has an effect in a design, and what is logarithmic; None if it is not known.
        choices: Values of discrete parameters in their declared order, by parameter name.
        runs: How the runs ended.
        workload_digest: Content hash of the workload.
        budget: Evaluations per run; 0 if unknown.
        gpus: GPUs that an evaluation occupies.
        commands: Shell commands that repeat the study, one per entry.
        versions: Versions of what took part (designgym, Python, libraries).
        description: One line on the environment.
        contradictions: Terms whose direction is not the one declared for their metric, in words.
        describe: Returns what a design amounts to on a workload, given by its name; nothing if the simulator does not say.
    """

    name: str
    env: str
    workload: str
    objective: str
    terms: tuple[TermMeta, ...]
    bounds: tuple[Bound, ...] = ()
    kind: str = "SingleObjective"
    reference: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    goals: Mapping[str, str | None] = field(default_factory=dict)
    docs: Mapping[str, str] = field(default_factory=dict)
    space: DesignSpace | None = None
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    runs: tuple[RunMeta, ...] = ()
    workload_digest: str = ""
    budget: int = 0
    gpus: float = 0.0
    commands: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    contradictions: tuple[str, ...] = ()
    describe: Callable[[Design, str], str] | None = None

    @classmethod
    def of(
        cls,
        name: str,
        env: str,
        workload: str,
        objective: Objective,
        metrics: Iterable[MetricSpec],
        *,
        space: DesignSpace | None = None,
        runs: Iterable[RunMeta] = (),
        **more: Any,
    ) -> StudyMeta:
        """Return the description of a study from the objects that define it.

        Args:
            name: Name of the study.
            env: Environment id.
            workload: Workload name.
            objective: What is optimised.
            metrics: The simulator's declared metrics.
            space: The design space, for units and the order of choices.
            runs: How the runs ended.
            **more: Further fields: ``workload_digest``, ``budget``, ``commands``, ``versions``, ``description``.
        """
        specs = list(metrics)
        units = {spec.name: spec.unit for spec in specs}
        parameters = dict(space.parameters) if space is not None else {}
        return cls(
            name=name,
            env=env,
            workload=workload,
            objective=objective.describe(),
            terms=tuple(
                TermMeta(term.expression.text, term.goal, term.label, unit_of_expression(term.expression.text, units))
                for term in objective.terms
            ),
            bounds=objective.bounds,
            kind=type(objective).__name__,
            reference=dict(getattr(objective, "reference", {})),
            units={f"metrics.{name}": unit for name, unit in units.items()}
            | {f"design.{name}": parameter.unit for name, parameter in parameters.items() if parameter.unit},
            goals={spec.name: spec.goal for spec in specs},
            docs={spec.name: spec.doc for spec in specs},
            space=space,
            choices={
                name: tuple(parameter.values())
                for name, parameter in parameters.items()
                if isinstance(parameter, DiscreteParameter) and parameter.size() <= 64
            },
            runs=tuple(runs),
            contradictions=tuple(objective.contradictions(specs)),
            **more,
        )
