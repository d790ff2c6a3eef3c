"""Networks by name, single layers of them, files of layers (CSV, JSON, MAESTRO's language), and lists of layers."""

from __future__ import annotations

import os
from collections.abc import Iterable

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.workload import Workload
from designgym.simulators.accelerator.datacentric.workloads import find_network as network_of_file
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.network_table import read_network
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.networks import NETWORKS, layer, merged, network

__all__ = ["CodesignWorkloads", "find_network", "network_workload"]


class CodesignWorkloads:
    """Built-in networks, ``NETWORK/LAYER``, and files by path."""

    def names(self) -> list[str]:
        """Return the built-in networks."""
        return list(NETWORKS)

    def get(self, name: str) -> Workload:
        """Return a workload; raises `UnknownNameError` or `InputError` with the remedy."""
        found = find_network(name)
        return Workload(found.name, found)


def find_network(name: str) -> Network:
    """Return what a name stands for: a network, ``NETWORK/LAYER``, or the path of a file.

    Raises:
        UnknownNameError: If it is none of them.
        InputError: If the file cannot be used, naming the line or layer, and the field.
    """
    if not isinstance(name, str):
        raise InputError(f"network must be a name or the path of a file, got {shorten(name)}")
    if name in NETWORKS:
        return network(name)
    if os.path.isfile(name):
        return read_network(name) if name.endswith(".csv") else network_of_file(name)
    of, slash, single = name.partition("/")
    if slash and of in NETWORKS:
        return Network(name, ((layer(of, single), 1),))
    hint = "(also any NETWORK/LAYER, or the path of a file of layers: .csv, .json, or MAESTRO's .m)"
    raise UnknownNameError("workload", name, NETWORKS, hint)


def network_workload(name: str, layers: Iterable[Layer]) -> Workload:
    """Return layers of your own as a workload; layers of the same shape are evaluated once.

    Raises:
        InputError: If there is no layer, or something else among them.
    """
    listed = list(layers)
    for number, one in enumerate(listed):
        if not isinstance(one, Layer):
            raise InputError(f"layer {number} of network {name!r} must be a Layer, got {shorten(one)}")
    return Workload(name, merged(name, listed))
