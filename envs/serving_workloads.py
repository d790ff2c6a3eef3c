"""Requests to serve, as environments offer them."""

from __future__ import annotations

from designgym.core.workload import Workload
from designgym.simulators.serving.workloads import available_requests, find_requests, make_workload


class ServingWorkloads:
    """Generated requests by name, traces found in the folders of ``DESIGNGYM_DATA``, and CSV files by path, with settings after a colon."""

    def names(self) -> list[str]:
        """Return the names that can be had now."""
        return available_requests()

    def get(self, name: str) -> Workload:
        """Return requests as a workload."""
        return make_workload(name, find_requests(name))
