"""A plugin: small environments that are evaluated in microseconds, one with every feature that the command line shows."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import designgym as dg
from designgym.core.errors import InputError
from designgym.core.external import ProgramTimeout
from designgym.core.validation import ColumnComparison, TableComparison

CACHE = dg.DesignSpace(
    ways=dg.Integer(1, 16),
    line_bytes=dg.PowerOfTwo(16, 128, default=64, unit="B"),
    policy=dg.Categorical("lru", "fifo", "random"),
    prefetcher=dg.Categorical("none", "stride"),
    degree=dg.Integer(1, 4),
    version="3",
    conditions=[dg.Condition("degree", when="prefetcher != 'none'")],
    constraints=[
        dg.Constraint("ways * line_bytes <= 1024", "more than 1 KiB per set does not fit"),
        dg.Constraint("not (policy == 'lru' and ways == 15)", "fifteen ways have no LRU tree"),
    ],
    symmetries=[dg.Rewrite("policy", to="'lru'", when="ways == 1"), dg.Rewrite("degree", to="1", when="'no_strides' in traits")],
)
METRICS = [dg.metric("latency_ns", goal="min", doc="mean access"), dg.metric("area_mm2", goal="min"), dg.metric("hit_rate", goal="max")]


def latency_ns(design: Mapping[str, Any], speed: float = 1.0) -> float:
    return 100.0 / design["ways"] / speed + {"lru": 1, "fifo": 2, "random": 3}[design["policy"]] * (design["ways"] > 1)


def make_cache(speed: float = 1.0) -> dg.Simulator:
    """Caches that cost nothing to simulate."""
    if not isinstance(speed, int | float) or isinstance(speed, bool) or speed <= 0:
        raise InputError(f"speed must be a number > 0, got {speed!r}")

    @dg.simulator(space=CACHE, metrics=METRICS, version="7", name="toy-cache")
    def cache(design: dg.Design, workload: Any, *, seed: int) -> dict[str, float]:
        if design["ways"] == 13:
            raise RuntimeError("thirteen ways crash")
        if design["ways"] == 14:
            raise ProgramTimeout("fourteen ways ran longer than 1 s")
        return {"latency_ns": latency_ns(design, speed), "area_mm2": design["line_bytes"] / 100, "hit_rate": 0.5}

    return cache


class CacheValidator:
    def tables(self, oracle: Path) -> list[Path]:
        return [path for path in [oracle / "toy_public.csv"] if path.is_file()]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        if not reference.is_file():
            raise InputError(f"cannot read the reference table {reference}: No such file or directory")
        with reference.open() as file:
            rows = list(csv.DictReader(file))
        ours = [latency_ns({"ways": int(row["ways"]), "policy": row["policy"]}) for row in rows]
        errors = [abs(value - float(row["latency"])) for value, row in zip(ours, rows, strict=True)]
        equal = sum(error <= 0.5 for error in errors)
        column = ColumnComparison("latency", len(rows), equal, 0.5, max(errors), max(errors) / 10, f"row {errors.index(max(errors)) + 1}")
        return TableComparison((column,), {"latency": ours}, equal, len(rows))


dg.register(
    "toy/Cache-v0",
    make_cache,
    workloads={"gcc": dg.Workload("gcc", [1, 2], traits=frozenset({"no_strides"})), "mcf": [3]},
    objectives={"fast": dg.minimize("latency_ns"), "small": dg.minimize("area_mm2", subject_to={"latency_ns": "<= 20"})},
    description="Caches of one level.",
    options={"speed": "Factor on the clock, > 0."},
    validator=CacheValidator(),
)

ANALOG = dg.DesignSpace(
    gain=dg.Float(0.0, 1.0),
    stages=dg.Repeated(dg.DesignSpace(width=dg.Integer(1, 8), kind=dg.Categorical("nmos", "pmos")), 0, 3),
    order=dg.Permutation("a", "b", "c"),
    symmetries=[dg.Unordered("stages")],
)


class Analog:
    """A noisy simulator with a probe."""

    name, version, space, deterministic = "toy-analog", "1", ANALOG, False
    metrics = (dg.metric("power_mw", goal="min"),)
    resources = dg.Resources()

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        return [dg.Metrics({"power_mw": design["gain"] * fidelity + len(design["stages"]) + seed / 1000}) for design in designs]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> list[bytes] | None:
        return [f"{design['gain'] > 0.5} {len(design['stages'])}".encode() for design in designs]


dg.register("toy/Analog-v0", Analog(), workloads={"none": None}, objective=dg.minimize("power_mw"), description="Amplifiers.")


def make_missing() -> dg.Simulator:
    from designgym.core.errors import NotInstalledError

    raise NotInstalledError("toy-tool is not installed: get it at https://example.org/toy-tool and put it in PATH")


dg.register(
    "toy/Missing-v0",
    make_missing,
    workloads={"none": None},
    objective=dg.minimize("cost_usd"),
    description="Needs a program.",
    installed=lambda: (False, "get it at https://example.org/toy-tool"),
)
