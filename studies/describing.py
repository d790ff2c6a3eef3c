"""What the designs of a stored study amount to, in the words of its simulator, where that is to be had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from designgym.core.describing import Describer, described
from designgym.core.design import Design
from designgym.core.registry import EnvironmentSpec, spec
from designgym.core.workload import Workload


class Describing:
    """Describes designs by the simulator of a study's environment.

    A store holds no code: where the environment is not registered, cannot be made here, or has another space by now, there are no
    descriptions, and designs are shown as they are.

    Args:
        definition: The study's definition, as JSON data.
        workloads: Those that are at hand; others are looked up by their names.
    """

    def __init__(self, definition: Mapping[str, Any], workloads: Iterable[Workload] = ()) -> None:
        self._definition = definition
        self._at_hand = {workload.name: workload for workload in workloads}
        self._workload = lru_cache(maxsize=None)(self._found)

    def __call__(self, design: Design, workload: str) -> str:
        """Return what a design amounts to, given the name of the workload it was evaluated on; nothing if that is not known."""
        return "" if self._simulator is None else described(self._simulator, design, self._workload(workload))

    @cached_property
    def _environment(self) -> EnvironmentSpec | None:
        try:
            return spec(self._definition["env"])
        except Exception:  # a plugin that was not given, or cannot be imported here
            return None

    @cached_property
    def _simulator(self) -> Any:
        if self._environment is None:
            return None
        try:
            simulator = self._environment.simulator(**self._definition["env_options"])
            usable = isinstance(simulator, Describer) and simulator.space.to_json() == self._definition["space"]
        except Exception:
            return None
        return simulator if usable else None

    def _found(self, name: str) -> Workload | None:
        """Return the workload of a name if it still is what it was; one that the study was given by hand cannot be found by its name."""
        try:
            found = self._at_hand.get(name) or (self._environment.workload(name) if self._environment is not None else None)
        except Exception:
            return None
        return found if found is not None and [name, found.digest] in self._definition["workloads"] else None
