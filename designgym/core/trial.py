"""The only record that is stored: a design, what came of it, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from designgym.core.design import Design
from designgym.core.metrics import Metrics

Obtained = Literal["measured", "exact hit", "functional hit", "audited", "refused"]


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from; enough to repeat it. Worker and times are no part of equality.

    Attributes:
        simulator: Simulator name.
        simulator_version: Simulator version.
        space_version: Version of the design space.
        workload: Workload name.
        workload_digest: Content hash of the workload.
        fidelity: Fraction of full fidelity, 1.0 for a full evaluation.
        seed: Seed given to the simulator; 0 for a deterministic one.
        searcher: Searcher that proposed the design; empty if nobody did.
        run: Identifier of the search run; empty outside a study.
        worker: ``host:pid`` that obtained the result.
        started_at_s: Unix time at which the evaluation began.
        wall_s: Seconds that this trial took here; next to nothing for a hit.
    """

    simulator: str
    simulator_version: str
    space_version: str
    workload: str
    workload_digest: str
    fidelity: float = 1.0
    seed: int = 0
    searcher: str = ""
    run: str = ""
    worker: str = field(default="", compare=False)
    started_at_s: float = field(default=0.0, compare=False)
    wall_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Keys:
    """The three equivalence keys of a design; ``functional`` is None where no probe was made."""

    literal: str
    canonical: str
    functional: str | None = None


@dataclass(frozen=True)
class Trial:
    """One design with its result and provenance.

    Two trials are equal if the same design gave the same result in the same place of the same run, however it was obtained.

    Attributes:
        design: As proposed.
        metrics: The result; for a hit, that of the equivalent design.
        provenance: See `Provenance`.
        keys: The equivalence keys.
        obtained: ``measured``; ``exact hit`` (equal canonical key); ``functional hit`` (equal behaviour on the probe); ``audited`` (a
            functional hit that was measured all the same, to check the fingerprint); ``refused`` (illegal by the space's constraints, so
            that no simulator was asked).
        duplicate: Whether the run that asked had met this behaviour before; such a trial costs no budget.
        number: Position within the run, from 0; -1 outside a run.
    """

    design: Design
    metrics: Metrics
    provenance: Provenance
    keys: Keys = field(compare=False)  # they follow from design and provenance
    obtained: Obtained = field(default="measured", compare=False)
    duplicate: bool = False
    number: int = field(default=-1)
