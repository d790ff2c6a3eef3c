"""Generated traces: legal, reproducible everywhere, and alike to what they are named after."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.simulate import simulate_batch
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import CATALOGUE, generate, read_trace
from designgym.simulators.dram.workloads.generators import bursts, cloud_like, mixed, pointer_chase, random, stream, strided

ORACLE = Path(__file__).parents[4] / "shared" / "oracle"
CLOUD_1 = ORACLE / "dramsys" / "traces" / "cloud-1.stl"

# Pinned, because results are stored under these digests: a change of a generator needs another workload name.
DIGESTS = {
    "stream-like": "966587c1284f",
    "random-like": "42e9a28df18d",
    "cloud-like": "e0dc14ddbb72",
    "pointer-chase": "ba7f518c3ea5",
    "strided": "011283c582f2",
    "mixed": "42a05d57872e",
    "bursts": "09f5cf05f6af",
}


def row_hit_share(trace: Trace) -> float:
    """Share of requests in the row that the last request to their bank used."""
    last: dict[int, int] = {}
    hits = 0
    for address in trace.addresses.tolist():
        bank, row = (address >> 13) & 7, address >> 16
        hits += last.get(bank) == row
        last[bank] = row
    return hits / len(trace)


def sequential_share(trace: Trace) -> float:
    return float((np.diff(trace.addresses) == 64).mean())


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue_is_legal_and_pinned(name: str) -> None:
    trace = generate(name)
    assert trace.name == name
    assert len(trace) == 10_000
    assert trace.arrival_ticks[0] == 0
    assert trace.addresses.max() < 1 << 30
    assert not (trace.addresses % 64).any()
    assert trace.digest[:12] == DIGESTS[name]


def test_same_seed_same_trace_in_another_process() -> None:
    program = "from designgym.simulators.dram.workloads import generate; print(generate('bursts', requests=500, seed=9).digest)"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert other.stdout.strip() == generate("bursts", requests=500, seed=9).digest


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in ("stream-like", "strided")])
def test_another_seed_gives_another_trace(name: str) -> None:
    assert generate(name, requests=100, seed=100).digest != generate(name, requests=100, seed=101).digest


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(CATALOGUE)),
    requests=st.integers(1, 400),
    seed=st.integers(0, 2**63),
    memory_bytes=st.sampled_from([8192, 1 << 20, 1 << 34]),
)
def test_any_size_and_seed_stays_inside_the_memory(name: str, requests: int, seed: int, memory_bytes: int) -> None:
    options = {"working_set_bytes": 8192} if name == "pointer-chase" else {}
    trace = generate(name, requests=requests, seed=seed, memory_bytes=memory_bytes, **options)
    assert len(trace) == requests
    assert 0 <= trace.addresses.min() <= trace.addresses.max() < memory_bytes


def test_stream() -> None:
    assert np.array_equal(stream(5).addresses, [0, 64, 128, 192, 256])
    assert stream(5).read_only
    several = stream(4000, streams=3, seed=1)
    assert len(np.unique(several.addresses)) == 4000
    assert 0.2 < sequential_share(several) < 0.5


def test_random_hits_no_rows() -> None:
    assert row_hit_share(random(5000)) < 0.01


def test_strided_wraps_to_the_next_line() -> None:
    trace = strided(6, stride_bytes=4096, memory_bytes=16384)
    assert np.array_equal(trace.addresses, [0, 4096, 8192, 12288, 64, 4160])


def test_pointer_chase_visits_every_line_before_it_repeats() -> None:
    trace = pointer_chase(40, working_set_bytes=20 * 64)
    assert sorted(trace.addresses[:20].tolist()) == [64 * i for i in range(20)]
    assert np.array_equal(trace.addresses[:20], trace.addresses[20:])
    assert np.array_equal(np.diff(trace.arrival_ticks), np.full(39, 34))


def test_read_share_changes_directions_only() -> None:
    read, write, both = (mixed(8000, read_share=share) for share in (1.0, 0.0, 0.3))
    assert read.read_only
    assert write.write_share == 1.0
    assert both.write_share == pytest.approx(0.7, abs=0.02)
    assert np.array_equal(read.addresses, both.addresses)


def test_cloud_like_hot_set_is_skewed() -> None:
    trace = cloud_like(20_000, sequential_share=0.0, hot_share=1.0, hot_lines=100, zipf_exponent=1.0)
    _, counts = np.unique(trace.addresses, return_counts=True)
    assert len(counts) == 100
    # The share of the hottest of 100 with exponent 1 is 1 / (1 + 1/2 + ... + 1/100) = 0.193.
    assert counts.max() / 20_000 == pytest.approx(0.193, abs=0.04)


@pytest.mark.skipif(not CLOUD_1.is_file(), reason="ArchGym's traces are not here (../shared/oracle)")
@pytest.mark.parametrize("seed", range(3))
def test_cloud_like_resembles_cloud_1(seed: int) -> None:
    theirs, ours = read_trace(CLOUD_1), generate("cloud-like", seed=seed)
    # A share of 200 coin flips has a standard deviation of 3.5 %.
    assert row_hit_share(ours) == pytest.approx(row_hit_share(theirs), abs=0.12)
    assert sequential_share(ours) == pytest.approx(sequential_share(theirs), abs=0.12)
    assert len(np.unique(ours.addresses)) == pytest.approx(len(np.unique(theirs.addresses)), rel=0.01)
    assert len(np.unique(ours.addresses >> 13)) == pytest.approx(len(np.unique(theirs.addresses >> 13)), rel=0.2)
    assert np.array_equal(ours.arrival_ticks, theirs.arrival_ticks)
    assert ours.read_only == theirs.read_only


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference tables are not here (../shared/oracle)")
@pytest.mark.parametrize(("ours", "theirs"), [("cloud-like", "cloud-1"), ("random-like", "random"), ("stream-like", "stream")])
def test_designs_fare_alike_on_the_generated_trace(ours: str, theirs: str) -> None:
    with (ORACLE / "dramsys_ddr3_public.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["trace"] == theirs]
    configs = [ControllerConfig.from_mapping({k: int(v) if v.isdigit() else v for k, v in row.items()}) for row in rows]
    runs = simulate_batch(configs, generate(ours))
    for mine, table in (("total_time_ns", "time_ns"), ("energy_pj", "energy_pJ")):
        ratios = np.array([getattr(run, mine) / float(row[table]) for run, row in zip(runs, rows, strict=True)])
        assert 0.97 < ratios.min() <= ratios.max() < 1.03


def test_bursts_tell_all_refresh_parameters_apart() -> None:
    trace = generate("bursts")
    base = ControllerConfig(
        PagePolicy="OpenAdaptive",
        Scheduler="FrFcfs",
        RefreshMaxPostponed=4,
        RefreshMaxPulledin=4,
        Arbiter="Fifo",
        MaxActiveTransactions=32,
    )
    for name in ("RefreshMaxPostponed", "RefreshMaxPulledin"):
        configs = [ControllerConfig.from_mapping(base.to_dict() | {name: n}) for n in range(1, 9)]
        assert len({(run.total_time_ns, run.energy_pj) for run in simulate_batch(configs, trace)}) == 8


def test_bursts_have_long_bursts_and_gaps_longer_than_the_refresh_interval() -> None:
    gaps = np.diff(generate("bursts").arrival_ticks)
    assert set(gaps[gaps < 100].tolist()) == {1}
    assert gaps.max() > 6240
    assert gaps.max() <= 30_000
    lengths = np.diff(np.flatnonzero(np.concatenate(([100], gaps)) >= 100))
    assert lengths.max() > 5000
    assert lengths.min() >= 16


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stream(0), r"requests must be within 1 to .* got 0"),
        (lambda: stream(1.5), r"requests must be a whole number .* got 1\.5"),  # type: ignore[arg-type]
        (lambda: random(5, read_share=1.5), r"read_share must be within 0\.0 to 1\.0 .* got 1\.5"),
        (lambda: random(5, read_share=float("nan")), r"read_share must be within"),
        (lambda: random(5, read_share="all"), r"read_share must be a number"),  # type: ignore[arg-type]
        (lambda: random(5, seed=-1), r"seed must be 0 or more"),
        (lambda: random(5, memory_bytes=100), r"memory_bytes must be within 8192"),
        (lambda: strided(5, stride_bytes=100), r"stride_bytes must be a multiple of 64 bytes, but got 100"),
        (lambda: cloud_like(5, sequential_share=0.7, hot_share=0.4), r"hot_share must be within .* at most 1 - sequential_share"),
        (lambda: mixed(5, streams=0), r"streams must be within 1 to 4096"),
        (lambda: bursts(5, burst_requests=(10, 5)), r"burst_requests\[1\] must be within 10"),
        (lambda: bursts(5, idle_ticks=(0, 5)), r"idle_ticks\[0\] must be within 1"),
    ],
)
def test_bad_parameters_are_refused(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]


def test_unknown_entry_suggests_a_known_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cloud-like'"):
        generate("cloudlike")


def test_a_passed_generator_is_used() -> None:
    rng = np.random.default_rng(7)
    first, second = random(50, seed=rng), random(50, seed=rng)
    assert first == random(50, seed=7)
    assert first != second
