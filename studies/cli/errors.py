"""How failures end the program: one to three lines on standard error and an exit code; a traceback only on request."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from designgym.core.errors import DesignGymError, InputError

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
MAX_LINES = 3
MAX_UNEXPECTED = 400  # characters shown of an exception that is not ours


class Interrupted(Exception):
    """A command that was stopped by the user (Ctrl-C), with what is kept."""


def exit_code_of(error: BaseException) -> int:
    """Return 2 for bad input, 130 for an interruption, 1 for everything else."""
    if isinstance(error, InputError):
        return BAD_INPUT
    if isinstance(error, Interrupted):
        return INTERRUPTED
    return int(getattr(error, "exit_code", FAILED)) if _is_usage(error) else FAILED


def report_error(error: BaseException, *, debug: bool, arguments: Sequence[str] = ()) -> None:
    """Print an error on standard error, with its traceback first if ``debug``; ``arguments`` are those of the command line."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    for line in describe(error, arguments):
        print(line, file=sys.stderr)
    sys.stderr.flush()


def describe(error: BaseException, arguments: Sequence[str] = ()) -> list[str]:
    """Return an error in one to three lines; one about an option names the value that is among ``arguments``."""
    if isinstance(error, Interrupted):
        return [f"interrupted: {error}"]
    if _is_usage(error):
        context = getattr(error, "ctx", None)
        hint = [f"try: {context.command_path} --help"] if context is not None else []
        seen = _value_given(getattr(error, "param", None), arguments)
        return [f"error: {_one_line(error.format_message())}{seen}", *hint]  # type: ignore[attr-defined]
    if isinstance(error, DesignGymError):
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        if len(lines) > MAX_LINES:
            lines = [*lines[: MAX_LINES - 1], " ".join(lines[MAX_LINES - 1 :])]
        return [f"error: {lines[0]}", *lines[1:]]
    if isinstance(error, OSError) and error.strerror:
        return [f"error: {f'{error.filename}: ' if error.filename else ''}{error.strerror}"]
    if isinstance(error, MemoryError):
        return ["error: out of memory: give fewer designs at a time, or run on a larger machine"]
    return _describe_unexpected(error)


def _describe_unexpected(error: BaseException) -> list[str]:
    from designgym.studies.plugins import plugin_line

    what = f"{type(error).__name__}: {_one_line(str(error))}"[:MAX_UNEXPECTED].removesuffix(": ")
    if place := plugin_line(error):
        return [f"error: {place}: {what}"]
    return [f"internal error: {what}", "This should not happen: please report it. Run again with --debug for the traceback."]


def _value_given(parameter: object, arguments: Sequence[str]) -> str:
    """Return ``, got VALUE`` for the last value that the command line gives for an option; Typer's own messages leave it out."""
    for i in range(len(arguments) - 1, -1, -1):
        name, equals, value = arguments[i].partition("=")
        if name in getattr(parameter, "opts", ()) and name.startswith("-"):
            value = value if equals else "".join(arguments[i + 1 : i + 2])
            return f", got {value!r}"
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _is_usage(error: BaseException) -> bool:
    """Return whether this is Typer's own error about the command line."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def flush_output() -> int:
    """Write out what is buffered for standard output; returns 1 if the disk is full, else 0. A reader that is gone has read enough."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        print(f"error: cannot write to standard output: {error.strerror}", file=sys.stderr)
        discard_output()
        return FAILED
    return DONE


def discard_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not complain at its end."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
