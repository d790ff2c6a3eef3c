"""One code path for numpy and torch: the functions of the Python array API standard, of whichever library the arrays come from."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

__all__ = ["Array", "namespace", "on_cpu", "to_numpy"]

Array = Any
"""A ``numpy.ndarray`` or a ``torch.Tensor``; shapes and units are in the docstrings."""


def namespace(*arrays: Array) -> Any:
    """Return the module of the arrays' library with the standard's functions; raises ``TypeError`` if they are of different ones."""
    if all(isinstance(array, np.ndarray) for array in arrays):
        return np  # which has the standard's functions itself, without wrappers that cost as much as a small array's work
    return array_api_compat.array_namespace(*arrays)


def on_cpu(array: Array) -> bool:
    """Return whether the array is in the host's memory."""
    return getattr(array.device, "type", "cpu") == "cpu"


def to_numpy(array: Array) -> Any:
    """Return the array as a ``numpy.ndarray`` on the host."""
    if array_api_compat.is_torch_array(array):
        return array.detach().cpu().numpy()
    return array
