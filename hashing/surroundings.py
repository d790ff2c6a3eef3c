"""What surrounds a candidate while its behaviour is observed, made the same everywhere and put back afterwards.

The depth of the stack, warnings, the folder and the environment, standard output and error, and the state of torch modules.
"""

from __future__ import annotations

import contextlib
import decimal
import functools
import io
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from blake3 import blake3

RECURSION_LIMIT = 1000  # frames that a candidate may use, however deep its caller is


@contextlib.contextmanager
def same_everywhere(*, gradients: bool) -> Iterator[None]:
    """Ignore warnings and floating-point errors, limit the depth of recursion from here, and set torch's recording of gradients.

    The current folder, the environment, the decimal context and torch's default type of number are put back at the end.
    """
    torch = sys.modules.get("torch")
    limit = sys.getrecursionlimit()
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # where they are errors, candidates would raise them
        stack.enter_context(np.errstate(all="ignore"))
        stack.enter_context(decimal.localcontext())
        stack.callback(_folder_and_environment())
        if torch is not None:
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            stack.enter_context(torch.enable_grad() if gradients else torch.no_grad())
        stack.callback(sys.setrecursionlimit, limit)
        sys.setrecursionlimit(_depth() + RECURSION_LIMIT)
        yield


def _folder_and_environment() -> Callable[[], None]:
    """Return a function that puts the current folder and the environment back."""
    environment, folder = os.environ.copy(), None
    with contextlib.suppress(OSError):  # of a folder that is gone
        folder = os.getcwd()

    def restore() -> None:
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        with contextlib.suppress(OSError):
            if folder is not None and os.getcwd() != folder:
                os.chdir(folder)

    return restore


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
