"""What goes into DRAMSys 4.0 (its configuration files, written from our own data) and what comes out (its report)."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from designgym.core.errors import InputError
from designgym.core.program_results import OutputError
from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads.line_formats import StlFormat

__all__ = ["SIMULATION_FILE", "Report", "ReportError", "input_files", "parse_report"]

SIMULATION_FILE = "simulation.json"
"""First argument of DRAMSys."""
RESOURCES = "resources/"
"""Second argument of DRAMSys; it joins names to it without a slash of its own."""

# The tool refuses to start without these, but they take part in nothing: power-down, self-refresh and thermal model are off.
_UNUSED_TIMINGS = {
    "AL": 0, "DQSCK": 0, "RTRS": 1, "CKE": 3, "CKESR": 4, "XP": 6, "XPDLL": 20, "XS": 96, "XSDLL": 512,
    "ACTPDEN": 1, "PRPDEN": 1, "REFPDEN": 1,
}  # fmt: skip
_UNUSED_CURRENTS = {"idd2p0": 12.0, "idd2p1": 30.0, "idd3p0": 35.0, "idd3p1": 35.0, "idd6": 8.0}

# The tool prints each figure in the unit that suits it, so that every figure is converted by its own unit.
_NS = {unit: Decimal(10) ** power for unit, power in (("fs", -6), ("ps", -3), ("ns", 0), ("us", 3), ("ms", 6), ("s", 9))}
_PJ = {unit: Decimal(10) ** power for unit, power in (("fJ", -3), ("pJ", 0), ("nJ", 3), ("uJ", 6), ("mJ", 9), ("J", 12))}
_MW = {unit: Decimal(10) ** power for unit, power in (("uW", -3), ("mW", 0), ("W", 3))}
_GBPS = {unit: Decimal(10) ** power for unit, power in (("Mb/s", -3), ("Gb/s", 0), ("Tb/s", 3))}
_FIGURES = (
    ("total_time_ns", "Total Time", _NS),
    ("energy_pj", "Total Energy", _PJ),
    ("power_mw", "Average Power", _MW),
    ("bandwidth_gbps", "AVG BW", _GBPS),
)


class ReportError(OutputError):
    """An output of the tool that is not a report of a finished run."""


@dataclass(frozen=True)
class Report:
    """The figures of one run, exactly as printed, in our units.

    Attributes:
        total_time_ns: Simulated time.
        energy_pj: Energy of all devices.
        power_mw: Average power, as rounded by the tool.
        bandwidth_gbps: Average bandwidth, as rounded by the tool.
    """

    total_time_ns: float
    energy_pj: float
    power_mw: float
    bandwidth_gbps: float


def input_files(config: ControllerConfig, trace: Trace, memory: MemorySpec) -> dict[str, str]:
    """Return the files of one run: name relative to the run's folder, and text.

    Raises:
        InputError: A clock is not a whole number of MHz.
    """
    simulation = {
        "simulationid": "run",
        "simconfig": "simulator.json",
        "memspec": "memory.json",
        "addressmapping": "address_map.json",
        "mcconfig": "controller.json",
        "thermalconfig": "thermal.json",
        "tracesetup": [{"clkMhz": _mhz(trace.clock_ns), "name": "workload.stl"}],
    }
    documents: dict[str, Any] = {
        SIMULATION_FILE: {"simulation": simulation},
        f"{RESOURCES}configs/simulator/simulator.json": {"simconfig": _simulator()},
        f"{RESOURCES}configs/memspecs/memory.json": {"memspec": _memory(memory)},
        f"{RESOURCES}configs/amconfigs/address_map.json": {"CONGEN": _address_map(memory)},
        f"{RESOURCES}configs/mcconfigs/controller.json": {
            "mcconfig": config.to_dict() | {"CmdMux": "Oldest", "PowerDownPolicy": "NoPowerDown"}
        },
        f"{RESOURCES}configs/thermalsim/thermal.json": {"thermalsimconfig": {"TemperatureScale": "Celsius"}},
    }
    files = {name: json.dumps(document, indent=1) for name, document in documents.items()}
    files[f"{RESOURCES}traces/workload.stl"] = "\n".join(StlFormat().lines(trace)) + "\n"
    return files


def parse_report(stdout: str) -> Report:
    """Read the figures from what the tool printed.

    Raises:
        ReportError: A figure is missing, printed more than once, not a number, or in an unknown unit.
    """
    found = {}
    for name, label, units in _FIGURES:
        lines = re.findall(rf"^\S*[ \t]*{label}:[ \t]*(.*?)[ \t\r]*$", stdout, re.MULTILINE)
        if len(lines) != 1:
            raise ReportError(f"expected one line '{label}:' in its output, found {len(lines)}")
        match = re.match(r"([0-9.]+(?:[eE][+-]?[0-9]+)?) (\S+)", lines[0])
        if match is None or match[2] not in units or match[1].count(".") > 1:
            raise ReportError(f"expected '{label}: <number> <{'|'.join(units)}>', got {lines[0][:60]!r}")
        found[name] = float(Decimal(match[1]) * units[match[2]])
    return Report(**found)


def _mhz(clock_ns: float) -> int:
    mhz = 1000.0 / clock_ns
    if abs(mhz - round(mhz)) > 1e-6 * mhz:
        raise InputError(f"DRAMSys takes clocks in whole MHz, but a clock of {clock_ns} ns is {mhz:g} MHz. Choose another.")
    return round(mhz)


def _simulator() -> dict[str, Any]:
    return {
        "SimulationName": "run",
        "PowerAnalysis": True,
        "DatabaseRecording": False,
        "Debug": False,
        "SimulationProgressBar": False,
        "CheckTLM2Protocol": False,
        "UseMalloc": False,
        "AddressOffset": 0,
        "EnableWindowing": False,
        "WindowSize": 1000,
        "ECCControllerMode": "Disabled",
        "ErrorCSVFile": "",
        "ErrorChipSeed": 42,
        "StoreMode": "NoStorage",
        "ThermalSimulation": False,
    }


def _memory(memory: MemorySpec) -> dict[str, Any]:
    org, timings, currents = memory.organisation, memory.timings, memory.currents
    return {
        "memoryId": "memory",
        "memoryType": "DDR3",
        "memarchitecturespec": {
            "burstLength": org.burst_length,
            "dataRate": org.data_rate,
            "nbrOfBanks": org.banks,
            "nbrOfColumns": org.columns,
            "nbrOfRanks": org.ranks,
            "nbrOfRows": org.rows,
            "width": org.device_width_bits,
            "nbrOfDevicesOnDIMM": org.devices,
            "nbrOfChannels": org.channels,
        },
        "mempowerspec": {name: float(value) for name, value in vars(currents).items()} | _UNUSED_CURRENTS | {"vdd": memory.voltage_v},
        "memtimingspec": {name.upper(): value for name, value in vars(timings).items()}
        | _UNUSED_TIMINGS
        | {"CL": timings.rl, "clkMhz": _mhz(memory.clock_ns)},
    }


def _address_map(memory: MemorySpec) -> dict[str, list[int]]:
    bits = memory.address_bits
    return {
        f"{name.upper()}_BIT": list(positions)
        for name in ("byte", "column", "bank", "row", "rank", "channel")
        if (positions := getattr(bits, name))
    }
