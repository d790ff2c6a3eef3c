"""Co-design of accelerators: hardware for whole networks, each layer mapped as well as it is known to be possible."""

from designgym.simulators.accelerator.codesign.machine import Machine
from designgym.simulators.accelerator.codesign.simulator import AcceleratorCodesign
from designgym.simulators.accelerator.codesign.space import EYERISS, codesign_space

__all__ = ["EYERISS", "AcceleratorCodesign", "Machine", "codesign_space"]
