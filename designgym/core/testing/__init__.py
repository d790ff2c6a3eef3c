"""Conformance kits: run them on your own spaces, simulators, searchers and environments.

Each takes the thing and raises one `ConformanceError` that lists in words everything found broken. They need no test framework::

    from designgym.core.testing import check_simulator
    check_simulator(my_cache, Workload("gcc", data))

The wrappers turn one simulator into many test cases: noisy, partly infeasible, crashing, with its optimum elsewhere.
"""

from designgym.core.testing.env_kit import check_env
from designgym.core.testing.equivalents import equivalent_designs
from designgym.core.testing.findings import ConformanceError
from designgym.core.testing.searcher_kit import check_searcher
from designgym.core.testing.simulator_kit import check_simulator
from designgym.core.testing.space_kit import check_space
from designgym.core.testing.wrappers import Crashing, Infeasible, Noisy, Shifted

__all__ = [
    "ConformanceError",
    "Crashing",
    "Infeasible",
    "Noisy",
    "Shifted",
    "check_env",
    "check_searcher",
    "check_simulator",
    "check_space",
    "equivalent_designs",
]
