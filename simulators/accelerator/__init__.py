"""DNN accelerators: layers and networks, and models of what a mapping of a layer onto hardware costs."""

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.accelerator.layer import Layer
    from designgym.simulators.accelerator.network import Network
    from designgym.simulators.accelerator.network_files import read_network, write_network
    from designgym.simulators.accelerator.workloads import network_workload

__all__ = ["Layer", "Network", "network_workload", "read_network", "write_network"]

_HOMES = {
    "Layer": "layer",
    "Network": "network",
    "network_workload": "workloads",
    "read_network": "network_files",
    "write_network": "network_files",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
