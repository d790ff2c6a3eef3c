"""The figures of the memories are plausible, each has a source, and wrong ones are refused in words."""

import json
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from designgym.core.errors import InputError
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.system.standard import STANDARDS, MemoryStandard, read_standard, standard

# GB/s and GiB of what the files describe, from the data rates: 64 bit DDR3/DDR4, 2 x 32 bit DDR5, 2 x 16 bit LPDDR, 1,024 bit HBM2.
PEAK_GB_PER_S = {
    "DDR3-1600": 1.6 * 8, "DDR4-2400": 2.4 * 8, "DDR4-3200": 3.2 * 8, "DDR5-4800": 4.8 * 8,
    "LPDDR4-3200": 3.2 * 4, "LPDDR5-6400": 6.4 * 4, "HBM2": 2.0 * 128,
}  # fmt: skip
CAPACITY_GIB = {
    "DDR3-1600": 1, "DDR4-2400": 16, "DDR4-3200": 16, "DDR5-4800": 16, "LPDDR4-3200": 2, "LPDDR5-6400": 2, "HBM2": 4,
}  # fmt: skip


def entries(data: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Return every object of a memory's file that holds a figure."""
    if isinstance(data, dict) and {"value", "ns", "nck"} & data.keys():
        return [(path, data)]
    if isinstance(data, dict):
        return [entry for key, value in data.items() for entry in entries(value, f"{path}/{key}")]
    return [entry for value in data for entry in entries(value, path)] if isinstance(data, list) else []


@pytest.mark.parametrize("name", STANDARDS)
def test_every_figure_has_a_source_and_every_source_is_used(name: str) -> None:
    data = read_standard(name)
    found = entries({key: value for key, value in data.items() if key != "sources"})
    assert len(found) > 40
    assert {entry["source"] for _, entry in found} <= data["sources"].keys()
    assert {entry["source"] for _, entry in found} == data["sources"].keys()
    numbers = [value for value in json.dumps([data["about"], data["sources"]]) if value.isdigit()]
    assert numbers  # texts name parts and editions

    def bare(value: Any) -> bool:
        if isinstance(value, dict):
            return False if {"value", "ns", "nck"} & value.keys() else any(map(bare, value.values()))
        return any(map(bare, value)) if isinstance(value, list) else isinstance(value, int | float)

    assert not bare(data)


@pytest.mark.parametrize("name", STANDARDS)
def test_peak_bandwidth_and_capacity_are_the_standards(name: str) -> None:
    memory = standard(name)
    assert memory.peak_bandwidth_gbps / 8 == pytest.approx(PEAK_GB_PER_S[name])
    assert memory.capacity_bytes == CAPACITY_GIB[name] << 30


@pytest.mark.parametrize("name", STANDARDS)
def test_timings_are_plausible(name: str) -> None:
    memory = standard(name)
    t, ns = memory.timings, memory.clock_ns
    assert t.rc >= t.ras + t.rp and t.ras >= t.rcd_rd + t.rtp - t.rp
    assert t.rp_ab >= t.rp and t.ccd_l >= t.ccd_s >= memory.burst_cycles and t.rrd_l >= t.rrd_s and t.wtr_l >= t.wtr_s
    assert t.faw >= 4 * t.rrd_s - 3 and t.ccd_l_wr >= t.ccd_l and t.burst_same_group >= memory.burst_cycles
    assert 10 <= t.rcd_rd * ns <= 20 and 10 <= t.rp * ns <= 20 and 25 <= t.ras * ns <= 45 and 40 <= t.rc * ns <= 65
    assert 3_900 <= (t.refi + 1) * ns <= 7_900 and 100 <= t.rfc * ns <= 400
    assert t.refi * ns <= 7_800 and t.xp * ns <= 13
    if memory.bank_refresh != "none":
        assert t.rfc_bank < t.rfc and t.refi_bank <= t.refi and t.refb_to_act < t.rfc_bank
        covered = [bank for unit in memory.refreshed_together for bank in unit]
        assert sorted(covered) == list(range(memory.banks))


@pytest.mark.parametrize("name", STANDARDS)
def test_currents_are_plausible(name: str) -> None:
    memory = standard(name)
    for rail in memory.rails:
        i = rail.currents
        assert 0.3 <= rail.voltage_v <= 2.6
        assert i.idd2p <= i.idd2n <= i.idd3n and i.idd3p <= i.idd3n and i.idd4r >= i.idd3n and i.idd4w >= i.idd3n and i.idd5 >= i.idd2n
        assert i.idd0 >= i.idd2n + (i.idd3n - i.idd2n) / memory.banks_per_rank * memory.timings.ras / memory.timings.rc - 1e-9
        if memory.bank_refresh != "none":
            assert i.idd5_bank >= i.idd2n


def test_known_clocks() -> None:
    """JEDEC's own tables in clocks, where the files have ns."""
    t = standard("DDR4-2400").timings
    assert (t.rcd_rd, t.rp, t.ras, t.rc, t.rrd_l, t.faw, t.wtr_s, t.wtr_l, t.wr, t.rtp, t.refi, t.rfc) == (
        17, 17, 39, 56, 6, 26, 3, 9, 18, 9, 9360, 420,
    )  # fmt: skip
    t = standard("DDR4-3200").timings
    assert (t.rcd_rd, t.ras, t.rrd_l, t.faw, t.wtr_s, t.wtr_l, t.ccd_l, t.refi, t.rfc) == (22, 52, 8, 34, 4, 12, 8, 12480, 560)
    t = standard("DDR5-4800").timings
    assert (t.rcd_rd, t.ras, t.ccd_l, t.ccd_l_wr, t.rrd_l, t.wtr_s, t.wtr_l, t.wr, t.refi, t.rfc) == (
        39,
        77,
        12,
        48,
        12,
        6,
        24,
        72,
        9360,
        708,
    )
    t = standard("LPDDR4-3200").timings
    assert (t.rcd_rd, t.rp, t.rp_ab, t.ras, t.rc, t.rrd_s, t.faw, t.rfc, t.rfc_bank) == (29, 29, 34, 68, 97, 16, 64, 448, 224)


def test_ddr3_is_the_controllers_memory() -> None:
    ours, theirs = standard("DDR3-1600"), MemorySpec.load()
    names = {"rcd": "rcd_rd", "wtr": "wtr_s", "ccd": "ccd_s", "rrd": "rrd_s"}
    for f in fields(theirs.timings):
        assert getattr(ours.timings, names.get(f.name, f.name)) == getattr(theirs.timings, f.name), f.name
    for f in fields(theirs.currents):
        assert getattr(ours.rails[0].currents, f.name) == getattr(theirs.currents, f.name), f.name
    assert (ours.clock_ns, ours.burst_bytes, ours.banks, ours.capacity_bytes) == (1.25, 64, 8, theirs.capacity_bytes)
    assert (ours.organisation.rows, ours.organisation.columns) == (theirs.organisation.rows, theirs.organisation.columns)


def broken(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    data = deepcopy(read_standard("DDR4-2400"))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("timings", "rcd_rd"), {"ns": 14}, "source"),
        (("timings", "rcd_rd"), {"ns": 14, "source": "hearsay"}, "must name one of the sources MT40A1G8"),
        (("timings", "rcd_rd"), {"source": "JESD79-4"}, "time >= 0 in ns, nck"),
        (("timings", "rcd_rd"), {"ns": -1, "source": "JESD79-4"}, "time >= 0 in ns, nck"),
        (("timings", "rcd"), {"ns": 14, "source": "JESD79-4"}, "unknown: rcd"),
        (("timings", "rc"), {"nck": 50, "source": "JESD79-4"}, "rc must be at least ras \\+ rp = 56, but is 50"),
        (("timings", "refi"), {"nck": 400, "source": "JESD79-4"}, "refi must exceed rfc = 420"),
        (("organisation", "rows"), {"value": 1000, "source": "JESD79-4"}, "rows must be a power of two, but is 1000"),
        (("organisation", "ranks"), {"value": 1.5, "source": "JESD79-4"}, "ranks must be an integer >= 1"),
        (("organisation", "devices"), {"value": 2, "source": "JESD79-4"}, "32 or 64 bytes"),
        (("clock_mhz",), {"value": 0, "source": "JESD79-4"}, "clock_mhz must be a number > 0"),
        (("bank_refresh",), {"value": "some", "source": "JESD79-4"}, "bank_refresh must be one of"),
        (("rails",), [{"name": "VDD"}], "missing: voltage_v, currents_ma"),
        (("colour",), 1, "unknown: colour"),
    ],
)
def test_wrong_figures_are_refused(path: tuple[str, ...], value: Any, words: str, tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    file.write_text(json.dumps(broken(path, value)))
    with pytest.raises(InputError, match=words):
        MemoryStandard.load(file)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Check the path"):
        MemoryStandard.load(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("no JSON")
    with pytest.raises(InputError, match=r"text\.json"):
        MemoryStandard.load(tmp_path / "text.json")
    with pytest.raises(InputError, match="memory standard"):
        standard("DDR6")


def test_negative_currents_are_refused() -> None:
    memory = standard("DDR4-2400")
    rail = memory.rails[0]
    with pytest.raises(InputError, match="idd0 of VDD must be a current >= 0"):
        replace(memory, rails=(replace(rail, currents=replace(rail.currents, idd0=-1.0)),))
