"""Requests to serve: generated, and from files."""

from designgym.simulators.serving.workloads.catalogue import CATALOGUE, RequestMix
from designgym.simulators.serving.workloads.files import read_requests
from designgym.simulators.serving.workloads.lengths import LengthDistribution
from designgym.simulators.serving.workloads.library import CLOSED_LOOP, available_requests, find_requests, make_workload, requests_of

__all__ = [
    "CATALOGUE",
    "CLOSED_LOOP",
    "LengthDistribution",
    "RequestMix",
    "available_requests",
    "find_requests",
    "make_workload",
    "read_requests",
    "requests_of",
]
