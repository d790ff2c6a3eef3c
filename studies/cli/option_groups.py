"""Options that come together: what ``evaluate``, ``hash`` and ``search`` are about, and what follows from them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from designgym.studies.cli.design_files import DesignFile
from designgym.studies.cli.options import (
    AssignmentsOption,
    DesignsOption,
    EnvironmentArgument,
    FidelityOption,
    SeedOption,
    WorkloadOption,
    WorkloadsOption,
    find_environment,
    parse_assignments,
    use_workload_folders,
)

if TYPE_CHECKING:
    from designgym.core.evaluator import Evaluator
    from designgym.core.registry import EnvironmentSpec


@dataclass(frozen=True, kw_only=True)
class OnWorkload:
    """An environment and a workload."""

    env_id: EnvironmentArgument
    workload: WorkloadOption = None
    workloads: WorkloadsOption = None

    def environment(self) -> EnvironmentSpec:
        """Return the environment, once the folders of workloads are known."""
        use_workload_folders(self.workloads)
        return find_environment(self.env_id)


@dataclass(frozen=True, kw_only=True)
class OfDesigns(OnWorkload):
    """Given designs on an environment and a workload."""

    designs: DesignsOption
    fidelity: FidelityOption = 1.0
    seed: SeedOption = 0
    option: AssignmentsOption = None

    def evaluator(self, cache: Literal["local"] | None) -> tuple[Evaluator, DesignFile]:
        """Return what evaluates the designs, without fingerprints, and the designs as they were read."""
        from designgym.envs.evaluators import make_evaluator

        spec, options, file = self.environment(), parse_assignments(self.option), DesignFile.read(self.designs)
        evaluator = make_evaluator(
            spec, workload=self.workload, cache=cache, functional="off", fidelity=self.fidelity, seed=self.seed, options=options
        )
        return evaluator, file


def takes(group: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator for a command whose first parameter is a group: to Typer, its fields are the command's own options."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(group, include_extras=True)
        fields = [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[field.name],
                default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            )
            for field in dataclasses.fields(group)
        ]  # fmt: skip
        fields.sort(key=lambda field: field.default is not inspect.Parameter.empty)  # what must be given comes first in the help
        signature = inspect.signature(command, eval_str=True)
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in list(signature.parameters.values())[1:]]

        @functools.wraps(command)
        def run(**values: Any) -> Any:
            return command(group(**{field.name: values.pop(field.name) for field in fields}), **values)

        run.__signature__ = signature.replace(parameters=[*fields, *own])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*fields, *own]}
        return run

    return decorate
