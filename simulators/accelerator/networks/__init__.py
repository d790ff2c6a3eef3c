"""Networks as tables of layers, from the papers, without batch: for an image of 224 x 224 pixels (AlexNet: 227 x 227) or a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from designgym.core.errors import UnknownNameError
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.networks import alexnet, efficientnet_b0, mobilenet_v2, resnet, transformer, vgg16

__all__ = ["NETWORKS", "layer", "merged", "network"]

NETWORKS: dict[str, Callable[[], Iterable[Layer]]] = {
    "alexnet": alexnet.layers,
    "vgg16": vgg16.layers,
    "resnet18": resnet.layers_18,
    "resnet50": resnet.layers_50,
    "mobilenetv2": mobilenet_v2.layers,
    "efficientnet_b0": efficientnet_b0.layers,
    "bert_base": transformer.bert_base,
    "llama7b_prefill": transformer.llama_7b_prefill,
    "llama7b_decode": transformer.llama_7b_decode,
}
"""The layers of each network that is built in, in order of execution."""


def network(name: str) -> Network:
    """Return a built-in network; raises `UnknownNameError` if there is none of that name."""
    if name not in NETWORKS:
        raise UnknownNameError("network", name, NETWORKS)
    return merged(name, NETWORKS[name]())


def layer(network_name: str, layer_name: str) -> Layer:
    """Return a layer of a built-in network; raises `UnknownNameError` if there is no such network or layer."""
    if network_name not in NETWORKS:
        raise UnknownNameError("network", network_name, NETWORKS)
    layers = {found.name: found for found in NETWORKS[network_name]()}
    if layer_name not in layers:
        raise UnknownNameError(f"layer of {network_name}", layer_name, layers)
    return layers[layer_name]


def merged(name: str, layers: Iterable[Layer]) -> Network:
    """Return a network in which layers of the same shape are one, by the name of the first of them."""
    return Network(name, tuple((found, 1) for found in layers)).merged()
