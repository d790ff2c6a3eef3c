"""DNN accelerators: layers and networks, and models of what a mapping of a layer onto hardware costs."""

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.accelerator.layer import Layer
    from designgym.simulators.accelerator.network import Network
    from designgym.simulators.accelerator.network_files import read_network, write_network
    from designgym.simulators.accelerator.onnx_import import network_of_onnx
    from designgym.simulators.accelerator.torch_import import network_of_torch
    from designgym.simulators.accelerator.workloads import network_workload

__all__ = ["Layer", "Network", "network_of_onnx", "network_of_torch", "network_workload", "read_network", "write_network"]

_HOMES = {
    "Layer": "layer",
    "Network": "network",
    "network_of_onnx": "onnx_import",
    "network_of_torch": "torch_import",
    "network_workload": "workloads",
    "read_network": "network_files",
    "write_network": "network_files",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
