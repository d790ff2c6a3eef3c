"""One simulator as many test cases, after the experimenter wrappers of Vizier (github.com/google/vizier)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.parameters import DiscreteParameter
from designgym.core.protocols import Resources, Simulator
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload


class Wrapped:
    """Base: everything as the inner simulator has it. Subclasses change designs on the way in or results on the way out."""

    def __init__(self, inner: Simulator) -> None:
        self.inner = inner
        self.name = f"{type(self).__name__.lower()}-{inner.name}"
        self.version, self.metrics, self.resources, self.deterministic = inner.version, inner.metrics, inner.resources, inner.deterministic
        self.space: DesignSpace = inner.space

    name: str
    version: str
    metrics: tuple[MetricSpec, ...]
    resources: Resources
    deterministic: bool

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Evaluate the inner simulator and change the results."""
        results = self.inner.evaluate(designs, workload, fidelity=fidelity, seed=seed)
        return [self._changed(design, result, workload, seed) for design, result in zip(designs, results, strict=True)]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return the inner probe's answers."""
        return self.inner.probe(designs, workload, seed=seed)

    def _changed(self, design: Design, result: Metrics, workload: Workload, seed: int) -> Metrics:
        return result

    def _random(self, design: Design, workload: Workload, salt: str) -> np.random.Generator:
        """Return a generator that depends on the behaviour only: equivalent designs draw alike, in any process."""
        text = f"{salt}:{self.space.canonical(design, workload.traits).literal}".encode()
        return np.random.default_rng(int.from_bytes(blake3(text).digest(8)))


class Noisy(Wrapped):
    """Multiplies every metric by ``1 + relative * normal``; the noise follows the seed, so the simulator is not deterministic."""

    def __init__(self, inner: Simulator, relative: float = 0.05) -> None:
        super().__init__(inner)
        self.relative, self.deterministic = relative, False

    def _changed(self, design: Design, result: Metrics, workload: Workload, seed: int) -> Metrics:
        rng = self._random(design, workload, f"noise{seed}")
        return replace(result, values={name: v * (1 + self.relative * rng.standard_normal()) for name, v in result.values.items()})


class Infeasible(Wrapped):
    """Declares a share of the behaviours infeasible."""

    def __init__(self, inner: Simulator, share: float = 0.2) -> None:
        super().__init__(inner)
        self.share = share

    def _changed(self, design: Design, result: Metrics, workload: Workload, seed: int) -> Metrics:
        return Metrics.infeasible(["planted"]) if self._random(design, workload, "infeasible").random() < self.share else result


class Crashing(Wrapped):
    """Lets a share of the behaviours fail, a third of those by running out of time."""

    def __init__(self, inner: Simulator, share: float = 0.2) -> None:
        super().__init__(inner)
        self.share = share

    def _changed(self, design: Design, result: Metrics, workload: Workload, seed: int) -> Metrics:
        draw = self._random(design, workload, "crash").random() / self.share
        if draw >= 1:
            return result
        return Metrics.timeout("planted") if draw < 1 / 3 else Metrics.failed("planted")


class Shifted(Wrapped):
    """Rotates every discrete parameter's values, so that the optimum lies elsewhere.

    Rules speak of values, which mean something else now: the space has none of them, and illegal designs come back infeasible.
    """

    def __init__(self, inner: Simulator, seed: int = 0) -> None:
        super().__init__(inner)
        self.space = DesignSpace(inner.space.parameters, version=f"{inner.space.version}-shifted{seed}")
        rng = np.random.default_rng(seed)
        self._offsets = {
            name: int(rng.integers(len(p.values()))) for name, p in inner.space.parameters.items() if isinstance(p, DiscreteParameter)
        }

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Evaluate the rotated designs; those that are illegal there come back infeasible."""
        moved = [self._moved(design) for design in designs]
        reasons = [self.inner.space.violations(design) for design in moved]
        legal = [design for design, broken in zip(moved, reasons, strict=True) if not broken]
        results = iter(self.inner.evaluate(legal, workload, fidelity=fidelity, seed=seed) if legal else [])
        return [Metrics.infeasible(broken) if broken else next(results) for broken in reasons]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return the inner probe's answers to the rotated designs."""
        return self.inner.probe([self._moved(design) for design in designs], workload, seed=seed)

    def _moved(self, design: Design) -> Design:
        values = dict(design)
        for name, offset in self._offsets.items():
            parameter = self.space.parameters[name]
            if isinstance(parameter, DiscreteParameter):
                choices = parameter.values()
                values[name] = choices[(parameter.index(values[name]) + offset) % len(choices)]
        return Design(values)
