"""What surrounds a candidate while its behaviour is observed, made the same everywhere and put back afterwards.

Random number generators, the depth of the stack, warnings, standard output and error, and the state of torch modules.
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from blake3 import blake3

RECURSION_LIMIT = 1000  # frames that a candidate may use, however deep its caller is


@contextlib.contextmanager
def generators_restored() -> Iterator[None]:
    """Put the global generators of ``random``, numpy and torch (if it is imported) back at the end."""
    torch = sys.modules.get("torch")
    python, numpy = random.getstate(), np.random.get_state()
    state = torch.default_generator.get_state() if torch else None
    on_devices = torch.cuda.get_rng_state_all() if torch and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch and state is not None:
            torch.default_generator.set_state(state)
        if torch and on_devices is not None:
            torch.cuda.set_rng_state_all(on_devices)


def seed_generators(*seed: int) -> None:
    """Seed the global generators of ``random``, numpy and torch (if it is imported)."""
    a, b, c = (int(word) for word in np.random.SeedSequence(seed).generate_state(3))
    random.seed(a)
    np.random.seed(b)
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(c)  # torch.manual_seed formats a traceback each time, for devices not in use
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(c)


@contextlib.contextmanager
def same_everywhere(*, gradients: bool) -> Iterator[None]:
    """Ignore warnings and floating-point errors, limit the depth of recursion from here, and set torch's recording of gradients."""
    torch = sys.modules.get("torch")
    limit = sys.getrecursionlimit()
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # where they are errors, candidates would raise them
        stack.enter_context(np.errstate(all="ignore"))
        if torch is not None:
            stack.enter_context(torch.enable_grad() if gradients else torch.no_grad())
        stack.callback(sys.setrecursionlimit, limit)
        sys.setrecursionlimit(_depth() + RECURSION_LIMIT)
        yield


def _depth() -> int:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


class Printed:
    """Takes what this thread prints to standard output, as a digest, and to standard error, which is dropped; used as a context.

    The streams belong to the whole process: for other threads they stay what they were.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget what was printed so far."""
        self._hasher, self._length = blake3(), 0

    def digest(self) -> bytes:
        """Return the digest of what was printed since `start`; empty if that is nothing."""
        return self._hasher.digest(length=16) if self._length else b""

    def __enter__(self) -> Printed:
        self._before = sys.stdout, sys.stderr
        self._streams = _Stream(sys.stdout, self._take), _Stream(sys.stderr, lambda text: None)
        sys.stdout, sys.stderr = self._streams
        return self

    def __exit__(self, *exception: object) -> None:
        for stream in self._streams:
            stream.close()
        stdout, stderr = self._streams
        if sys.stdout is stdout:
            sys.stdout = self._before[0]
        if sys.stderr is stderr:
            sys.stderr = self._before[1]

    def _take(self, text: str) -> None:
        self._hasher.update(text.encode("utf-8", "surrogatepass"))
        self._length += len(text)


class _Stream:
    """A stream that one thread writes to somewhere else; for all others, and for all at the end, it is the one that was there before."""

    def __init__(self, before: Any, take: Callable[[str], None]) -> None:
        self._before, self._take = before, take
        self._thread: int | None = threading.get_ident()

    def close(self) -> None:
        """Be the stream that was there before, whoever has kept this one."""
        self._thread = None

    def write(self, text: str) -> int:
        """Take the text of the thread, pass that of others on."""
        if threading.get_ident() != self._thread:
            return int(self._before.write(text))
        self._take(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        # an empty text in memory has neither a buffer of bytes nor a file descriptor, by which the thread could write past this
        return getattr(io.StringIO() if threading.get_ident() == self._thread else self._before, name)


def module_of(candidate: Any) -> Any:
    """Return the torch module that a candidate is, is a method of, or is a partial application of; None if there is none."""
    torch = sys.modules.get("torch")
    while torch is not None and candidate is not None:
        if isinstance(candidate, torch.nn.Module):
            return candidate
        candidate = candidate.func if isinstance(candidate, functools.partial) else getattr(candidate, "__self__", None)
    return None


def state_keeper(module: Any) -> Callable[[], None]:
    """Return a function that puts a torch module back into its present state.

    Parameters, buffers (running statistics), gradients, training flags and plain attributes, of it and all modules in it.
    """
    torch = sys.modules["torch"]
    kept = []
    for part in module.modules():
        tensors = [(part._parameters, name, tensor) for name, tensor in part._parameters.items() if tensor is not None]
        tensors += [(part._buffers, name, tensor) for name, tensor in part._buffers.items() if tensor is not None]
        saved = [(home, name, tensor, tensor.detach().clone(), tensor.grad, _clone(tensor.grad)) for home, name, tensor in tensors]
        kept.append((part, dict(part.__dict__), saved))

    def restore() -> None:
        with torch.no_grad():
            for part, attributes, saved in kept:
                part.__dict__.clear()
                part.__dict__.update(attributes)
                for home, name, tensor, values, gradient, gradient_values in saved:
                    home[name] = tensor
                    tensor.copy_(values)
                    tensor.grad = gradient
                    if gradient is not None:
                        gradient.copy_(gradient_values)

    return restore


def _clone(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().clone()
