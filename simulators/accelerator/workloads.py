"""Workloads of all accelerator environments: built-in networks, files, single layers of both, and networks of the user's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.workload import Workload
from designgym.simulators.accelerator.datacentric.workloads import make_workload as mapping_workload
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.accelerator import make_workload as loopnest_workload
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.network_files import SUFFIXES, read_network
from designgym.simulators.accelerator.networks import NETWORKS, merged, network

__all__ = ["NetworkWorkloads", "find_network", "network_workload"]

_HINT = f"(also NETWORK/LAYER; the path of a file of layers, {', '.join(SUFFIXES)}; or FILE/LAYER)"


def network_workload(name: str, layers: Network | Iterable[Layer]) -> Workload:
    """Return layers of your own, or a network, as a workload of any accelerator environment; layers of the same shape are evaluated once.

    Raises:
        InputError: If there is no layer, or something else among them.
    """
    if not isinstance(layers, Network):
        listed = list(layers)
        for number, one in enumerate(listed):
            if not isinstance(one, Layer):
                raise InputError(f"layer {number} of network {name!r} must be a Layer, got {shorten(one)}")
        found = merged(name, listed)
    else:
        found = Network(name, layers.layers).merged()
    return Workload(name, found, mapping_workload(found).traits | loopnest_workload(found).traits)


class NetworkWorkloads:
    """Built-in networks, files by path, and single layers of both.

    Args:
        make_workload: Returns a network as a workload, with the traits that the environment's space uses; None if it uses none.
        layers: Single layers that are listed by name, ``NETWORK/LAYER``; any other is found as well.
    """

    def __init__(self, make_workload: Callable[[Network], Workload] | None = None, layers: Sequence[str] = ()) -> None:
        self._make_workload, self._layers = make_workload, layers

    def names(self) -> list[str]:
        """Return the listed layers and all built-in networks."""
        return [*self._layers, *NETWORKS]

    def get(self, name: str) -> Workload:
        """Return a workload; raises as `find_network` does."""
        try:
            found = find_network(name)
        except UnknownNameError as error:
            raise UnknownNameError(error.kind, name, self.names(), _HINT) if error.kind == "workload" else error from None
        return self._make_workload(found) if self._make_workload else Workload(found.name, found)


def find_network(name: str) -> Network:
    """Return what a name stands for: a built-in network, a file's by its path, or one layer of either, after a slash.

    Layers of the same shape are one. ``NETWORK-LAYER`` is understood too.

    Raises:
        UnknownNameError: If it is none of them, or there is no such layer.
        InputError: If the file cannot be used, naming the line or layer, and the field.
        NotInstalledError: For ``.onnx`` without the package.
    """
    if not isinstance(name, str):
        raise InputError(f"network must be a name or the path of a file, got {shorten(name)}")
    if name in NETWORKS:
        return network(name)
    for of, single in _splits(name):
        if of in NETWORKS:
            return _layer_of(Network(of, tuple((layer, 1) for layer in NETWORKS[of]())), single)
        if os.path.isfile(of) or (Path(of).suffix.lower() in SUFFIXES and not os.path.isdir(of)):
            found = read_network(of)
            return _layer_of(found, single) if single else found.merged()
    raise UnknownNameError("workload", name, NETWORKS, _HINT)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to read a name as something and one of its layers, whose name may hold slashes, or as something alone."""
    for at, letter in enumerate(name):
        if letter == "/" or (letter == "-" and name[:at] in NETWORKS):
            yield name[:at], name[at + 1 :]
    yield name, ""


def _layer_of(network: Network, name: str) -> Network:
    layers = dict.fromkeys(layer for layer, _ in network.layers if layer.name == name)
    if not layers:
        raise UnknownNameError(f"layer of {network.name}", name, {layer.name for layer, _ in network.layers})
    if len(layers) > 1:
        raise InputError(f"network {network.name!r} has {len(layers)} different layers that are called {name!r}: rename them")
    return Network(f"{network.name}/{name}", ((next(iter(layers)), 1),))
