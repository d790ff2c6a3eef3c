"""Settings after the colon of a workload's name: ``azure-conv:rate=8,requests=500``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from designgym.core.errors import InputError

__all__ = ["Setting", "read_settings"]


@dataclass(frozen=True)
class Setting:
    """A setting that a workload has.

    Attributes:
        argument: What it is called in code.
        example: Value and meaning, for messages.
        kind: ``int`` or ``float``.
        least: Smallest value allowed.
        positive: Whether 0 is not allowed.
    """

    argument: str
    example: str
    kind: type[int] | type[float] = float
    least: float = 0.0
    positive: bool = False


def read_settings(workload: str, text: str, known: Mapping[str, Setting]) -> dict[str, float | int]:
    """Return the settings in a text by argument.

    Args:
        workload: Its whole name, for messages.
        text: What stands after the colon.
        known: By the name that users write.

    Raises:
        InputError: For one that does not exist, or a value that cannot be.
    """
    found: dict[str, float | int] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in known:
            words = ", ".join(f"{name}={setting.example}" for name, setting in known.items())
            raise InputError(f"workload {workload!r}: cannot use {part!r}, expected settings such as {words}")
        setting = known[key]
        try:
            number = setting.kind(value)
        except ValueError:
            raise InputError(f"workload {workload!r}: {key} is {value!r}, expected a {_WORDS[setting.kind]}") from None
        if not setting.least <= number < float("inf") or (setting.positive and not number):
            limit = "more than 0" if setting.positive else f"{setting.least:g} or more"
            raise InputError(f"workload {workload!r}: {key} is {value}, expected {limit}")
        found[setting.argument] = number
    return found


_WORDS = {int: "whole number", float: "number"}
