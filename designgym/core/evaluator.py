"""`Evaluator`: the one place where a simulator is called. Designs go in; results come out, measured only where nothing equal is known."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

from designgym.core.batch import Batch, Context, Counts, ProbeMemory
from designgym.core.design import Design
from designgym.core.errors import InputError, InvalidDesignError, shorten
from designgym.core.keys import KeyMaker
from designgym.core.measuring import CrashMemory, Execute, Measurer
from designgym.core.protocols import EquivalenceCache, FingerprintPolicy, Simulator
from designgym.core.space import DesignSpace
from designgym.core.trial import Keys, Provenance, Trial
from designgym.core.workload import Workload

AGREEMENT = 1e-9  # relative difference of metrics up to which an audited measurement confirms a functional hit


class Evaluator:
    """Canonicalise, look up, reserve, probe, simulate, fill. Threads may share one.

    Args:
        simulator: What measures.
        workload: What it measures on.
        cache: Where results are shared; None measures every design. Functional keys are shared with everybody who shares the cache, and
            reserved there: no two evaluators measure equivalent designs at once.
        fingerprints: When to probe and what to believe; None never probes.
        fidelity: Fraction of full fidelity in (0, 1].
        seed: Seed handed to the simulator; without effect if it is deterministic.
        execute: How a batch is run, for instance on a pool of workers, or where a study looks for what other runs measured; calls
            ``simulator.evaluate`` in this process by default.
        agreement: Relative difference of metrics up to which an audited measurement confirms a functional hit. The default wants
            equality but for rounding; a noisy simulator needs a few of its relative standard errors.
        probed: Functional keys of designs probed before, for others to read or to fill; its own unless given.

    Raises:
        InputError: If the fidelity, the seed or the agreement is out of range.
    """

    def __init__(
        self,
        simulator: Simulator,
        workload: Workload,
        *,
        cache: EquivalenceCache | None = None,
        fingerprints: FingerprintPolicy | None = None,
        fidelity: float = 1.0,
        seed: int = 0,
        execute: Execute | None = None,
        agreement: float = AGREEMENT,
        probed: ProbeMemory | None = None,
    ) -> None:
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity must be in (0, 1], got {fidelity!r}")
        if seed < 0:
            raise InputError(f"seed must not be negative, got {seed!r}")
        if not agreement >= 0:
            raise InputError(f"agreement must not be negative, got {agreement!r}")
        self.simulator, self.workload, self.cache, self.fingerprints = simulator, workload, cache, fingerprints
        self.fidelity, self.seed, self.agreement = float(fidelity), 0 if simulator.deterministic else int(seed), agreement
        self.counts = Counts()
        self._counting = threading.Lock()
        self._keys = KeyMaker(simulator, workload, fidelity=fidelity, seed=self.seed)
        measurer = Measurer(simulator, workload, self.fidelity, self.seed, execute)
        self._context = Context(simulator, self._keys, measurer, CrashMemory(), probed or ProbeMemory(), cache, fingerprints, agreement)
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

    def keys(self, designs: Sequence[Design], *, probe: bool = False) -> list[Keys]:
        """Return the designs' keys; the functional ones only if ``probe``, for legal designs of a simulator that has a probe."""
        keys = [self._keys.keys(design) for design in _checked(self.simulator, designs)]
        legal = [i for i, design in enumerate(designs) if not self.simulator.space.violations(design)] if probe else []
        functional = self._keys.functional([designs[i] for i in legal]) if legal else None
        for i, key in zip(legal, functional or (), strict=functional is not None):
            keys[i] = replace(keys[i], functional=key)
        return keys

    def evaluate(self, designs: Sequence[Design], *, searcher: str = "", run: str = "") -> list[Trial]:
        """Return one trial per design, in order.

        Equal behaviours within the batch are measured once too. A simulator's failure is a status; only misuse raises.

        Raises:
            EvaluationError: If the simulator breaks its contract, for instance returns another number of results than designs.
            InputError: If a design is not a `Design` of the simulator's space, or the simulator refuses the fidelity or the workload.
        """
        started, began = time.perf_counter(), time.time()
        batch = Batch(self._context, _checked(self.simulator, designs))
        try:
            batch.run()
        finally:
            batch.release()
            batch.counts.total_s = time.perf_counter() - started
            with self._counting:
                self.counts.add(batch.counts)
        sim, base = self.simulator, self.workload
        context = (
            sim.name,
            sim.version,
            sim.space.version,
            base.name,
            base.digest,
            self.fidelity,
            self.seed,
            searcher,
            run,
            self._worker,
            began,
        )
        return [Trial(item.design, item.metrics, Provenance(*context, item.wall_s), item.keys, item.obtained) for item in batch.items]

    def recall(self, trials: Iterable[Trial]) -> None:
        """Remember earlier trials of a search that goes on, in order: designs that crashed repeatedly stay given up."""
        for trial in trials:
            if trial.obtained in ("measured", "audited"):
                self._context.crashes.note(trial.keys.canonical, trial.metrics)

    def statistics(self) -> dict[str, float]:
        """Return the counts, with those of the fingerprints and the cache under their prefixes."""
        with self._counting:
            figures: dict[str, float] = asdict(self.counts) | {"saved_s": self.counts.saved_s}
        if self.fingerprints is not None:
            figures |= {f"fingerprint_{name}": value for name, value in self.fingerprints.statistics().items()}
        if self.cache is not None:
            figures |= {f"cache_{name}": value for name, value in self.cache.statistics().items()}
        return figures


def _checked(simulator: Simulator, designs: Sequence[Design]) -> Sequence[Design]:
    space = simulator.space
    for design in designs:
        if not isinstance(design, Design):
            raise InputError(f"got {shorten(design)}, expected a Design: make one with DesignSpace.validate()")
        if not space.holds(design):
            raise InputError(f"got {shorten(design, 300)}, expected a design of {simulator.name}: {_difference(space, design)}")
    return designs


def _difference(space: DesignSpace, design: Design) -> str:
    """Return in words why a design is none of a space, with the remedy."""
    try:
        space.validate(design)
        problem = f"it lacks {', '.join(sorted(space.parameters.keys() - design.keys()))}"  # inactive ones, which validate fills in
    except InvalidDesignError as error:
        problem = "; ".join(error.problems)
    return f"{problem}; make designs with the validate() of the simulator's space"
