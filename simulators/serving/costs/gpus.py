"""GPUs: what a datasheet says of them, their power, and what one costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from designgym.core.errors import InputError, UnknownNameError

__all__ = ["GPUS", "Gpu", "gpu_named"]


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: As in `GPUS`; also which operator times hold for it (see `operators.py`).
        memory_bytes: Memory that CUDA shows.
        bandwidth_bytes_per_s: Of that memory, peak.
        bf16_flops: Peak rate of dense matrix products in bfloat16, floating-point operations per second.
        fp8_flops: The same in FP8; 0 where the hardware has none.
        interconnect_bytes_per_s: To the other GPUs of its host, one direction.
        host_bytes_per_s: From the memory of its host.
        tdp_watt: Board power.
        usd_per_hour: Rent of one GPU.
    """

    name: str
    memory_bytes: int
    bandwidth_bytes_per_s: float
    bf16_flops: float
    fp8_flops: float
    interconnect_bytes_per_s: float
    host_bytes_per_s: float
    tdp_watt: float
    usd_per_hour: float

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "name":
                continue
            least = 0.0 if field.name in ("fp8_flops", "usd_per_hour") else math.nextafter(0.0, 1.0)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
                raise InputError(f"{field.name} of a GPU must be a finite number above 0, but is {value!r}")


_GIB = 1 << 30

# Peaks and power: NVIDIA's datasheets of A100 80GB SXM, H100 SXM, H200 SXM and L40S (dense, without sparsity). Memory: vLLM's logs.
# Host: PCI Express 4.0 and 5.0 x16, 31.5 and 63 GB/s, of which copies of pinned memory reach about four fifths.
# Rent: on-demand list prices of RunPod's Secure Cloud in autumn 2026, of the L40S about that. Prices differ by a factor of four between
# vendors, so set your own with `dataclasses.replace`.
GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("a100_sxm", round(79.2 * _GIB), 2.039e12, 312e12, 0.0, 300e9, 25e9, 400.0, 1.79),
        Gpu("h100_sxm", round(79.2 * _GIB), 3.35e12, 989e12, 1979e12, 450e9, 50e9, 700.0, 3.99),
        Gpu("h200_sxm", round(139.8 * _GIB), 4.8e12, 989e12, 1979e12, 450e9, 50e9, 700.0, 4.59),
        Gpu("l40s", round(44.4 * _GIB), 0.864e12, 362e12, 733e12, 32e9, 25e9, 350.0, 0.99),
    )
}
_SHORT = {"a100": "a100_sxm", "h100": "h100_sxm", "h200": "h200_sxm"}


def gpu_named(name: str) -> Gpu:
    """Return a GPU of `GPUS`, also by a short name such as ``"H100"``; raises `UnknownNameError`."""
    key = name.strip().lower().replace("-", "_")
    key = _SHORT.get(key, key)
    if key not in GPUS:
        raise UnknownNameError("GPU", name, GPUS, "(for others give a table of measured steps: `measured_step_costs`)")
    return GPUS[key]
