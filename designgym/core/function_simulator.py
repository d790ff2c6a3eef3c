"""A simulator from a plain function: the shortest way to an environment of one's own."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.external import ProgramTimeout
from designgym.core.measuring import ends_process
from designgym.core.metrics import Metrics, MetricSpec, is_number, metric
from designgym.core.protocols import Resources
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload


class FunctionSimulator:
    """Wraps ``function(design, workload, *, seed) -> {metric: value}``; made by `simulator`.

    The function receives the workload's data. It may return a `Metrics` instead, raise `ValueError` ... and is then a failed
    result, or raise `ProgramTimeout` and is then a timeout.
    """

    def __init__(
        self, function: Callable[..., Mapping[str, float] | Metrics], space: DesignSpace, metrics: Sequence[MetricSpec], version: str,
        deterministic: bool, resources: Resources, name: str, describe: Callable[[Design], str] | None = None,
    ) -> None:  # fmt: skip
        self._function, self._describe = function, describe
        self.space, self.metrics, self.version = space, tuple(metrics), version
        self.deterministic, self.resources, self.name = deterministic, resources, name
        self.__doc__ = function.__doc__

    def __call__(self, design: Mapping[str, Any], workload: Any = None, *, seed: int = 0) -> Mapping[str, float] | Metrics:
        """Call the function itself, on a plain mapping that is validated first."""
        return self._function(self.space.validate(design), workload, seed=seed)

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Call the function once per design."""
        if fidelity != 1.0:
            raise InputError(f"{self.name} has no fidelities: got fidelity {fidelity}, expected 1.0")
        return [self._one(design, workload, seed) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: a plain function has no cheap probe."""

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return what the design amounts to, if the author of the function has said how to tell."""
        return self._describe(design) if self._describe is not None else ""

    def _one(self, design: Design, workload: Workload, seed: int) -> Metrics:
        started = time.perf_counter()
        try:
            result = self._function(design, workload.data, seed=seed)
        except ProgramTimeout as error:
            return Metrics.timeout(str(error), time.perf_counter() - started)
        except SystemExit as error:
            if ends_process(error):
                raise
            return Metrics.failed(f"{self.name} called exit({error.code!r})", time.perf_counter() - started)
        except Exception as error:
            return Metrics.failed(f"{type(error).__name__}: {error}", time.perf_counter() - started)
        cost_s = time.perf_counter() - started
        if isinstance(result, Metrics):
            return result
        if not isinstance(result, Mapping):
            return Metrics.failed(f"{self.name} returned {type(result).__name__}, expected a mapping of metrics", cost_s)
        for name, value in result.items():
            # float() would take "7", True and arrays of one number as well, and hide a mistake in the simulator
            if not is_number(value):
                return Metrics.failed(f"{self.name} returned {name} = {shorten(value)}, expected a finite number such as 1.5", cost_s)
        return Metrics({name: float(value) for name, value in result.items()}, cost_s=cost_s)


def simulator(
    *,
    space: DesignSpace,
    metrics: Sequence[MetricSpec | str],
    version: str,
    deterministic: bool = True,
    resources: Resources | None = None,
    name: str | None = None,
    describe: Callable[[Design], str] | None = None,
) -> Callable[[Callable[..., Mapping[str, float] | Metrics]], FunctionSimulator]:
    """Decorate ``function(design, workload, *, seed) -> {metric: value}`` into a simulator.

    Args:
        space: The designs it accepts.
        metrics: What it returns, declared with `metric`, or by name alone.
        version: Raise it with any change that could alter results.
        deterministic: Whether the seed has no effect.
        resources: What one call occupies; one CPU unless said.
        name: The function's name unless given.
        describe: Returns what a design amounts to, as people write it: shown instead of the values in tables and reports.
    """
    if describe is not None and not callable(describe):
        raise InputError(f"describe is {shorten(describe)}, expected a function that takes a design and returns text")
    if not isinstance(space, DesignSpace):
        raise InputError(f"space is {shorten(space)}, expected a DesignSpace")
    if isinstance(metrics, str | MetricSpec):
        raise InputError(f"metrics is {shorten(metrics)}, expected a list of metrics")
    specs = [spec if isinstance(spec, MetricSpec) else metric(spec) for spec in metrics]
    if not specs or len({spec.name for spec in specs}) != len(specs):
        raise InputError(f"expected one or more different metrics, got {[spec.name for spec in specs]}")

    def decorate(function: Callable[..., Mapping[str, float] | Metrics]) -> FunctionSimulator:
        _check_signature(function)
        title = name or str(getattr(function, "__name__", "simulator"))
        return FunctionSimulator(function, space, specs, str(version), deterministic, resources or Resources(), title, describe)

    return decorate


def _check_signature(function: Callable[..., object]) -> None:
    """Raise `InputError` if the function cannot be called as a simulator is, so that not every design fails for it."""
    title = getattr(function, "__name__", shorten(function))
    try:
        signature = inspect.signature(function)
    except ValueError:  # one written in C does not always say
        return
    except TypeError:
        raise InputError(f"{title} is not a function: expected function(design, workload, *, seed)") from None
    try:
        signature.bind(None, None, seed=0)
    except TypeError as error:
        raise InputError(f"{title}{signature} cannot be called as function(design, workload, *, seed): {error}") from None
