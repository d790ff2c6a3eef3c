"""`TimeLimit`: ends Python code that runs too long, in the thread that it runs in, whichever that is."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

AGAIN_S = 0.1  # between interruptions of code that catches them


class TimeIsUp(Exception):
    """A call that ran longer than it may."""


class TimeLimit:
    """Runs functions one after the other, each for a limited time; used as a context, in one thread.

    Another thread throws an exception into this one when the time is over (``PyThreadState_SetAsyncExc``), and again for as long as it
    is caught. So loops in Python end in any thread, with no signal that would disturb others. A call into C (a sleep, a lock, a long
    matrix product) is not interrupted: it counts as too long once it has returned. A loop around a bare ``except:`` is not ended.

    Args:
        seconds: For each function; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        # a class of its own, so that limits inside of limits are told apart; no Exception, so that `except Exception` lets it pass
        self._interruption: type[BaseException] = type("Interruption", (BaseException,), {})
        self._thread = ctypes.c_ulong(threading.get_ident())
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._deadline: float | None = None
        self._thrown = False  # since the present function began

    def __enter__(self) -> TimeLimit:
        if self._seconds is not None:
            threading.Thread(target=self._watch, args=(self._seconds,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()

    def run(self, function: Callable[[], T]) -> T:
        """Return what a function returns, or raise what it raises.

        Raises:
            TimeIsUp: If it took longer, even if it caught the interruption.
        """
        if self._seconds is None:
            return function()
        deadline = time.monotonic() + self._seconds
        self._thrown = False
        try:
            try:
                self._deadline = deadline
                result = function()
            finally:
                self._disarm()
        except self._interruption:
            self._disarm()  # it may have come while `finally` was on its way
            raise TimeIsUp from None
        except Exception:
            if time.monotonic() >= deadline:  # the interruption was caught, and another exception raised in its place
                raise TimeIsUp from None
            raise
        if time.monotonic() >= deadline:
            raise TimeIsUp
        return result

    def _disarm(self) -> None:
        """Let no interruption be on its way any more; one that arrives meanwhile is dropped."""
        while True:
            try:
                with self._lock:
                    self._deadline = None
                if self._thrown:
                    # One that is taken back leaves CPython looking for it for ever, at a cost, and hangs its profilers: so another one
                    # replaces it, or follows it, and is waited for.
                    self._throw()
                    while True:
                        pass
                return
            except self._interruption:
                if self._deadline is None:
                    return

    def _throw(self) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, ctypes.py_object(self._interruption))

    def _watch(self, seconds: float) -> None:
        wait_s = seconds
        while not self._end.wait(wait_s):
            with self._lock:
                left_s = seconds if self._deadline is None else self._deadline - time.monotonic()
                if left_s > 0:
                    wait_s = left_s
                else:
                    self._thrown = True
                    self._throw()
                    wait_s = AGAIN_S
