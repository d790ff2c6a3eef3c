"""Data-centric model of dataflow mappings (Kwon et al., MICRO 2019), equal to MAESTRO: in batches, on numpy or torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.simulators.accelerator.datacentric.batch import Batch as Batch
    from designgym.simulators.accelerator.datacentric.batch import Hardware as Hardware
    from designgym.simulators.accelerator.datacentric.mapping import Directive as Directive
    from designgym.simulators.accelerator.datacentric.mapping import Mapping as Mapping
    from designgym.simulators.accelerator.datacentric.mapping_text import parse_network as parse_network
    from designgym.simulators.accelerator.datacentric.mapping_text import print_network as print_network
    from designgym.simulators.accelerator.datacentric.model import evaluate as evaluate
    from designgym.simulators.accelerator.datacentric.shape import ConvShape as ConvShape
    from designgym.simulators.accelerator.datacentric.simulator import MaestroMapping as MaestroMapping

_HOMES = {
    "Batch": "batch", "ConvShape": "shape", "Directive": "mapping", "Hardware": "batch", "MaestroMapping": "simulator",
    "Mapping": "mapping", "evaluate": "model", "parse_network": "mapping_text", "print_network": "mapping_text",
}  # fmt: skip

__all__ = ["Batch", "ConvShape", "Directive", "Hardware", "MaestroMapping", "Mapping", "evaluate", "parse_network", "print_network"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
