"""How the functions of the simulation are compiled.

They release the interpreter lock, so that threads simulate in parallel, and do not count references to arrays: the counts are
atomic operations that took more than half of the time, and `kernel.run`'s caller holds all arrays until it returns.
"""

from numba import njit

__all__ = ["compiled", "inlined"]

compiled = njit(nogil=True, _nrt=False)
inlined = njit(nogil=True, _nrt=False, inline="always")
"""For large functions called in one place: passing an array on costs seven values on the stack."""
