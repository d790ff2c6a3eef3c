"""What exists: environments and searchers by name. Entries may be lazy, so that importing designgym imports no simulator."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, get_args

from designgym.core import providers
from designgym.core.errors import InputError, NotInstalledError, UnknownNameError, shorten
from designgym.core.metrics import MetricSpec
from designgym.core.objectives import Objective
from designgym.core.protocols import Searcher, Simulator
from designgym.core.validation import ReferenceValidator
from designgym.core.workload import Workload

ID_PATTERN = re.compile(r"^(?:[\w.-]+/)?[\w.-]+-v\d+$")
log = logging.getLogger("designgym.registry")
Fingerprinting = Literal["auto", "on", "off"]


class WorkloadLibrary(Protocol):
    """Workloads that are found or generated when asked for."""

    def names(self) -> list[str]:
        """Return the names that `get` finds now."""
        ...

    def get(self, name: str) -> Workload:
        """Return the workload; raises `UnknownNameError` with the remedy if there is none."""
        ...


@dataclass(frozen=True)
class FixedWorkloads:
    """A plain mapping of names to data (or ready `Workload` objects) as a `WorkloadLibrary`."""

    data: Mapping[str, Any]

    def names(self) -> list[str]:
        """Return the names in the order given."""
        return list(self.data)

    def get(self, name: str) -> Workload:
        """Return the workload of that name, whatever a ready one was called before."""
        if name not in self.data:
            raise UnknownNameError("workload", name, self.data)
        data = self.data[name]
        return replace(data, name=name) if isinstance(data, Workload) else Workload(name, data)


@dataclass(frozen=True)
class EnvironmentSpec:
    """An environment: a simulator bound to workloads and objectives, under a versioned id.

    Attributes:
        id: ``namespace/Name-vN``; raise N with any change that could alter results.
        make_simulator: Returns the simulator; keyword options are the environment's own (``allow_no_refresh=True``).
        workloads: Where workloads come from.
        objectives: Named objectives; the first is the default.
        default_workload: Used when none is named.
        budget: Evaluations per episode and per search run unless said otherwise.
        description: One line.
        installed: Returns whether the simulator can run here, and if not, how to get it.
        options: Names of the keyword options of ``make_simulator``, with a line of documentation each.
        validator: How the simulator is compared with reference outputs; None if there are none.
        functional: Whether studies fingerprint its designs unless they say otherwise: ``on``, ``off``, or ``auto``, by measured times.
    """

    id: str
    make_simulator: Callable[..., Simulator]
    workloads: WorkloadLibrary
    objectives: Mapping[str, Objective]
    default_workload: str
    budget: int = 200
    description: str = ""
    installed: Callable[[], tuple[bool, str]] = field(default=lambda: (True, ""))
    options: Mapping[str, str] = field(default_factory=dict)
    validator: ReferenceValidator | None = None
    functional: Fingerprinting = "auto"

    @property
    def default_objective(self) -> str:
        """Name of the objective used when none is named."""
        return next(iter(self.objectives))

    def simulator(self, **options: Any) -> Simulator:
        """Return a simulator; raises `UnknownNameError` for an option that does not exist, `InputError` for values it cannot use."""
        for name in options:
            if name not in self.options:
                raise UnknownNameError(f"option of {self.id}", name, self.options)
        try:
            return self.make_simulator(**options)
        except (TypeError, ValueError) as error:
            if not options or isinstance(error, InputError):
                raise
            raise InputError(f"{self.id} cannot use the options {shorten(options)}: {type(error).__name__}: {error}") from error

    def installed_simulator(self, options: Mapping[str, Any] | None = None) -> Simulator:
        """Return a simulator that can run here; raises `NotInstalledError` with the remedy otherwise, and as `simulator` does."""
        made = self.simulator(**(options or {}))
        installed, remedy = self.installed() if not options else (True, "")  # an option may say where the program is
        if not installed:
            raise NotInstalledError(f"{self.id} is not installed: {remedy}")
        return made

    def objective(self, objective: str | Objective | None = None) -> Objective:
        """Return an objective by name (the default for None), or check one that was made on the fly."""
        if isinstance(objective, Objective):
            metrics = self.simulator().metrics
            objective.check(metrics)
            _warn_of_contradictions(self.id, objective, metrics)
            return objective
        if not isinstance(objective, str | None):
            raise InputError(f"objective is {shorten(objective)}, expected its name or an objective such as minimize('latency_ns')")
        name = self.default_objective if objective is None else objective
        if name not in self.objectives:
            raise UnknownNameError(f"objective of {self.id}", name, self.objectives)
        return self.objectives[name].named(name)

    def workload(self, workload: str | os.PathLike[str] | Workload | None = None) -> Workload:
        """Return a workload by name (the default for None), or the one given."""
        if isinstance(workload, Workload):
            return workload
        if not isinstance(workload, str | os.PathLike | None):
            raise InputError(f"workload is {shorten(workload)}, expected its name, or Workload(name, data)")
        return self.workloads.get(self.default_workload if workload is None else os.fspath(workload))


_environments: dict[str, EnvironmentSpec | str] = {}
_searchers: dict[str, Callable[..., Searcher] | str] = {}


def register(
    id: str,
    simulator: Simulator | Callable[..., Simulator],
    *,
    workloads: Mapping[str, Any] | WorkloadLibrary,
    objective: Objective | None = None,
    objectives: Mapping[str, Objective] | None = None,
    default_workload: str | None = None,
    budget: int = 200,
    description: str = "",
    installed: Callable[[], tuple[bool, str]] | None = None,
    options: Mapping[str, str] | None = None,
    validator: ReferenceValidator | None = None,
    functional: Fingerprinting = "auto",
) -> EnvironmentSpec:
    """Register an environment, here and with Gymnasium, so that ``gymnasium.make(id)`` works.

    Args:
        id: ``namespace/Name-vN``.
        simulator: A simulator, or what makes one from the environment's options.
        workloads: Data by name, or a library.
        objective: The only objective, named ``default``; give this or ``objectives``.
        objectives: Objectives by name, the default first.
        default_workload: The first one unless given.
        budget: Evaluations per episode and search run.
        description: One line; the first line of the simulator's docstring unless given.
        installed: Whether the simulator can run here, and how to get it.
        options: The options of the simulator's maker, documented.
        validator: How the simulator is compared with reference outputs (``designgym validate``).
        functional: Whether studies fingerprint its designs unless they say otherwise: ``on`` or ``off`` if you know whether probing pays,
            so that a seed gives the same trials on every machine; ``auto`` lets each study find out once, by measured times.

    Raises:
        InputError: If the id is malformed or taken, the simulator or the library is none, or an objective reads a metric that the
            simulator does not declare.
    """
    import gymnasium

    if not isinstance(id, str) or not ID_PATTERN.match(id):
        raise InputError(f"environment id {id!r} must look like 'namespace/Name-v0'")
    if id in _environments and not isinstance(_environments[id], str):
        raise InputError(f"environment {id!r} is registered already: raise the version at its end for a changed one")
    if objective is not None and objectives is not None:
        raise InputError(f"environment {id!r} got both objective= and objectives=: put all into objectives=, the default first")
    if objective is None and not objectives:
        raise InputError(f"environment {id!r} needs an objective: objective=minimize('latency_ns'), or objectives= for several by name")
    goals: dict[str, Any] = dict(objectives or {"default": objective})  # type: ignore[dict-item]
    for goal in goals.values():
        if not isinstance(goal, Objective):
            raise InputError(f"environment {id!r}: {shorten(goal)} is no objective, expected one such as minimize('latency_ns')")
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise InputError(f"environment {id!r}: budget must be a whole number of at least 1, got {shorten(budget)}")
    if functional not in get_args(Fingerprinting):
        raise InputError(f"environment {id!r}: functional is {shorten(functional)}, expected 'auto', 'on' or 'off'")
    library = FixedWorkloads(workloads) if isinstance(workloads, Mapping) else workloads
    if not (hasattr(library, "names") and hasattr(library, "get")):
        raise InputError(f"environment {id!r}: workloads is {shorten(workloads)}, expected a mapping of names to data, or a library")
    if isinstance(workloads, Mapping) and default_workload is not None and default_workload not in workloads:
        raise UnknownNameError(f"default workload of {id}", default_workload, workloads)
    if default_workload is None:
        names = library.names()
        if not names:
            raise InputError(f"environment {id!r} needs at least one workload; for one without, pass workloads={{'none': None}}")
        default_workload = names[0]
    is_instance = isinstance(simulator, Simulator) and not isinstance(simulator, type)
    if not is_instance and not callable(simulator):
        raise _no_simulator(id, simulator)
    if not is_instance:
        _check_maker(id, simulator)
    make: Callable[..., Simulator] = (lambda: simulator) if is_instance else simulator  # type: ignore[assignment,return-value]
    spec = EnvironmentSpec(
        id, make, library, goals,
        default_workload, budget,
        description or (getattr(simulator, "__doc__", None) or id).strip().splitlines()[0],
        installed or (lambda: (True, "")), dict(options or {}), validator, functional,
    )  # fmt: skip
    example = spec.simulator() if spec.installed()[0] else None
    if example is not None:
        if not isinstance(example, Simulator):
            raise _no_simulator(id, example)
        for name, named in spec.objectives.items():
            named.check(example.metrics)
            _warn_of_contradictions(id, named.named(name), example.metrics)
    _environments[id] = spec
    if id not in gymnasium.registry:
        gymnasium.register(id, entry_point="designgym.envs.design_env:make_env", kwargs={"env_id": id})
    return spec


def _warn_of_contradictions(id: str, objective: Objective, metrics: Iterable[MetricSpec]) -> None:
    for text in objective.contradictions(metrics):
        _warn_once(f"environment {id!r}: in the objective {objective.name or objective.describe()!r}, {text}")


@functools.cache
def _warn_once(text: str) -> None:
    log.warning("%s", text)


def _check_maker(id: str, make: Any) -> None:
    """Raise `InputError` if a simulator's maker needs arguments, as a function that was to be decorated does."""
    try:
        inspect.signature(make).bind()
    except ValueError:  # one written in C does not always say
        return
    except TypeError as error:
        name = getattr(make, "__name__", shorten(make))
        raise InputError(
            f"environment {id!r}: {name} does not make a simulator when called without options ({error}): "
            "decorate a function with designgym.simulator, or give the options defaults"
        ) from None


def _no_simulator(id: str, given: object) -> InputError:
    lacking = [name for name in vars(Simulator) if not name.startswith("_") and not hasattr(given, name)]
    return InputError(
        f"environment {id!r}: {shorten(given)} is no simulator, it lacks {', '.join(lacking)}: "
        "see designgym.Simulator, or decorate a function with designgym.simulator"
    )


def register_lazily(id: str, module: str) -> None:
    """Note that importing ``module`` registers ``id``."""
    _environments.setdefault(id, module)


def spec(id: str) -> EnvironmentSpec:
    """Return the environment of that id; raises `UnknownNameError` if there is none."""
    if id not in _environments:
        providers.load("environments")
    entry = _environments.get(id)
    if isinstance(entry, str):
        importlib.import_module(entry)
        entry = _environments[id]
    if not isinstance(entry, EnvironmentSpec):
        raise UnknownNameError("environment", id, _environments, "(a plugin file registers more: --plugin FILE.py)")
    return entry


def environments() -> Iterator[EnvironmentSpec]:
    """Yield all registered environments, sorted by id."""
    providers.load("environments")
    return (spec(id) for id in sorted(_environments))


def register_searcher(name: str, searcher: Callable[..., Searcher] | str) -> None:
    """Register a searcher class ``Cls(space, objective, *, seed, **options)``, or ``"module:Class"`` to be imported when used."""
    if name in _searchers and _searchers[name] is not searcher and not isinstance(_searchers[name], str):
        raise InputError(f"searcher {name!r} is registered already: choose another name")
    _searchers[name] = searcher


def searcher_class(name: str) -> Callable[..., Searcher]:
    """Return a searcher class by name; raises `UnknownNameError` if there is none."""
    if name not in _searchers:
        providers.load("searchers")
    entry = _searchers.get(name)
    if isinstance(entry, str):
        module, _, attribute = entry.partition(":")
        entry = getattr(importlib.import_module(module), attribute)
    if entry is None:
        raise UnknownNameError("searcher", name, _searchers)
    return entry


def searchers() -> list[str]:
    """Return the names of all searchers, sorted."""
    providers.load("searchers")
    return sorted(_searchers)
