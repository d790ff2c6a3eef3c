"""designgym: search the design spaces of hardware and inference systems without evaluating the same behaviour twice.

Names are loaded when first used, so that ``import designgym`` stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym import gymnasium_plugin
from designgym.core import providers
from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.core import testing as testing
    from designgym.core.canonical_form import CanonicalForm as CanonicalForm
    from designgym.core.design import Design as Design
    from designgym.core.errors import DesignGymError as DesignGymError
    from designgym.core.errors import InputError as InputError
    from designgym.core.evaluator import Evaluator as Evaluator
    from designgym.core.external import ProgramError as ProgramError
    from designgym.core.external import ProgramTimeout as ProgramTimeout
    from designgym.core.external import run_program as run_program
    from designgym.core.function_simulator import simulator as simulator
    from designgym.core.groups import Permutation as Permutation
    from designgym.core.groups import Repeated as Repeated
    from designgym.core.metrics import Metrics as Metrics
    from designgym.core.metrics import MetricSpec as MetricSpec
    from designgym.core.metrics import metric as metric
    from designgym.core.objectives import Objective as Objective
    from designgym.core.objectives import maximize as maximize
    from designgym.core.objectives import minimize as minimize
    from designgym.core.objectives import pareto as pareto
    from designgym.core.objectives import target as target
    from designgym.core.objectives import weighted as weighted
    from designgym.core.parameters import Categorical as Categorical
    from designgym.core.parameters import Float as Float
    from designgym.core.parameters import Integer as Integer
    from designgym.core.parameters import Ordinal as Ordinal
    from designgym.core.parameters import PowerOfTwo as PowerOfTwo
    from designgym.core.protocols import Resources as Resources
    from designgym.core.protocols import Searcher as Searcher
    from designgym.core.protocols import Simulator as Simulator
    from designgym.core.registry import register as register
    from designgym.core.registry import register_searcher as register_searcher
    from designgym.core.rules import Condition as Condition
    from designgym.core.rules import Constraint as Constraint
    from designgym.core.rules import Interchangeable as Interchangeable
    from designgym.core.rules import Rewrite as Rewrite
    from designgym.core.rules import Unordered as Unordered
    from designgym.core.space import DesignSpace as DesignSpace
    from designgym.core.trial import Trial as Trial
    from designgym.core.workload import Workload as Workload
    from designgym.hashing.functional import functional_hash as functional_hash
    from designgym.studies.results import StudyResult as StudyResult
    from designgym.studies.store import open_store as open_store
    from designgym.studies.study import Study as Study

__version__ = "0.1.0"

gymnasium_plugin.install()
providers.provide("environments", "designgym.envs")
providers.provide("searchers", "designgym.searchers")

_HOMES: dict[str, str] = {
    "Design": "core.design", "DesignSpace": "core.space", "Evaluator": "core.evaluator", "run_program": "core.external",
    "DesignGymError": "core.errors", "InputError": "core.errors", "ProgramError": "core.external", "ProgramTimeout": "core.external",
    "Categorical": "core.parameters", "Float": "core.parameters", "Integer": "core.parameters", "Ordinal": "core.parameters",
    "PowerOfTwo": "core.parameters", "Permutation": "core.groups", "Repeated": "core.groups",
    "Condition": "core.rules", "Constraint": "core.rules", "Rewrite": "core.rules", "Interchangeable": "core.rules",
    "Unordered": "core.rules", "CanonicalForm": "core.canonical_form",
    "Metrics": "core.metrics", "MetricSpec": "core.metrics", "metric": "core.metrics",
    "Objective": "core.objectives", "minimize": "core.objectives", "maximize": "core.objectives", "weighted": "core.objectives",
    "target": "core.objectives", "pareto": "core.objectives",
    "Resources": "core.protocols", "Searcher": "core.protocols", "Simulator": "core.protocols", "Trial": "core.trial",
    "Workload": "core.workload", "simulator": "core.function_simulator", "register": "core.registry",
    "register_searcher": "core.registry", "functional_hash": "hashing.functional",
    "Study": "studies.study", "StudyResult": "studies.results", "open_store": "studies.store",
}  # fmt: skip
_MODULES = {name: name for name in ("envs", "hashing", "searchers", "simulators", "studies")} | {"testing": "core.testing"}

__all__ = [*_HOMES, *_MODULES, "__version__"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, _MODULES)
