"""The generated workloads that every environment offers by name, without any file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from designgym.core.errors import UnknownNameError
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import generators

__all__ = ["CATALOGUE", "GeneratedWorkload", "generate"]


@dataclass(frozen=True)
class GeneratedWorkload:
    """An entry of the catalogue.

    Attributes:
        name: Name of the workload.
        generator: Function that makes the trace; its defaults are the catalogue's parameters.
        seed: Seed by default.
        about: The workload in a few words.
    """

    name: str
    generator: Callable[..., Trace]
    seed: int
    about: str


_ENTRIES = (
    GeneratedWorkload("stream-like", generators.stream, 0, "one sequential stream of reads, one per tick"),
    GeneratedWorkload("random-like", generators.random, 1, "uniformly random reads, one per tick"),
    GeneratedWorkload("cloud-like", generators.cloud_like, 2, "sequential and random phases of 50 reads, one per tick"),
    GeneratedWorkload("pointer-chase", generators.pointer_chase, 3, "reads along a random cycle, one per 34 ticks"),
    GeneratedWorkload("strided", generators.strided, 4, "reads 4 KiB apart, one per tick"),
    GeneratedWorkload("mixed", generators.mixed, 5, "33 % writes, four streams and random lines, one per tick"),
    # Of a few dozen seeds, one whose bursts and gaps tell all values 1 to 8 of both refresh parameters apart.
    GeneratedWorkload("bursts", generators.bursts, 112, "as mixed, in bursts with idle gaps: refreshes move"),
)
CATALOGUE: Mapping[str, GeneratedWorkload] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""The generated workloads by name."""


def generate(name: str, *, requests: int = 10_000, seed: int | None = None, **parameters: object) -> Trace:
    """Make the trace of a catalogue entry.

    Args:
        name: Name in the catalogue.
        requests: Number of requests.
        seed: Seed; None means the entry's own.
        parameters: Further parameters of the generator.

    Raises:
        UnknownNameError: There is no such entry.
        InputError: A parameter is outside its range.
    """
    entry = CATALOGUE.get(name)
    if entry is None:
        raise UnknownNameError("generated workload", name, CATALOGUE)
    return entry.generator(requests, seed=entry.seed if seed is None else seed, name=name, **parameters)
