"""Workloads: FARSI's figures in our form, and users' task graphs with errors that name the cell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from designgym.core.errors import InputError
from designgym.simulators.soc import Blocks
from designgym.simulators.soc.farsi_design import farsi_soc
from designgym.simulators.soc.library import NAMES, SocWorkloads, built_in, load
from tests.simulators.soc.reference_rows import FARSI, graph, needs_rows, rows


@needs_rows
@pytest.mark.parametrize("name", NAMES)
def test_figures_expand_to_the_tasks_and_blocks_of_farsi(name: str) -> None:
    workload, expected = built_in(name), graph(name)
    tasks = workload.graph
    assert {task.name: workload.blocks.work(task) for task in tasks.tasks} == pytest.approx(expected.work, rel=1e-12)
    assert list(tasks.names) == list(expected.work) and tasks.last_task == expected.last
    assert {task.name: task.burst_bytes for task in tasks.tasks} == expected.burst
    for task in tasks.names:
        assert list(tasks.children[task].items()) == list(expected.children[task].items())
        assert list(tasks.parents[task]) == list(expected.parents[task])
    table = pd.read_csv(FARSI / f"blocks_{name}.csv").set_index("name")
    assert len(table) == 1 + 24 * 3 + 4 * sum(len(workload.blocks.unrollings(task)) for task in tasks.tasks)
    everywhere = dict.fromkeys(tasks.names, 0)
    design = {"pe_to_bus": [0], "mem_to_bus": [0], "bus_links": [], "task_to_pe": everywhere, "task_to_mem": everywhere}
    default = {"pes": ["A53_pe"], "mems": ["LMEM_0_1_mem"], "buses": ["LMEM_ic_0_1_ic"]}
    kinds = {"pe": "pes", "mem": "mems", "ic": "buses"}
    for block, row in table.iterrows():
        soc = farsi_soc({**design, **default, kinds[row["type"]]: [block]}, workload)
        if row["type"] == "pe":
            ours = [soc.pes[0].rate, soc.pes[0].instructions_per_j, soc.pes[0].instructions_per_m2 or 1 / soc.pes[0].area_m2]
            assert ours == pytest.approx([row["peak_work_rate"], row["work_per_joule"], row["work_per_m2"]], rel=1e-12)
        else:
            assert (soc.memories if row["type"] == "mem" else soc.buses)[0].rate == pytest.approx(row["peak_work_rate"], rel=1e-12)
            assert row["type"] == "ic" or soc.memories[0].kind == row["subtype"]


@needs_rows
def test_a_row_of_farsi_is_read() -> None:
    row = rows("farsi_public.csv")[1]
    soc = farsi_soc(row["design_json"], built_in(row["workload"]))
    assert (len(soc.pes), len(soc.memories), len(soc.buses), soc.bus_links) == (8, 1, 3, ((1, 0), (2, 1)))


def small(**changes: Any) -> dict[str, Any]:
    figures = {"cycles": 1e5, "energy_fj": 200.0, "area_um2": 5e4, "iterations": 16}
    return {
        "tasks": [
            {"name": "camera", "processor_cycles": 0},
            {"name": "filter", "processor_cycles": 1e6, "accelerator": figures},
            {"name": "detect", "processor_cycles": 2e6},
            {"name": "host", "processor_cycles": 0},
        ],
        "transfers": [["camera", "filter", 640000], ["filter", "detect", 320000], ["detect", "host", 100]],
    } | changes


def written(folder: Path, data: Any) -> Path:
    path = folder / "mine.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


MATRIX = "task,camera,filter,detect,host\ncamera,,640000,,\nfilter,,,320000,\ndetect,,,,100\nhost,,,,\n"
FIGURES = (
    "name,processor_cycles,cycles,energy_fj,area_um2,iterations\ncamera,0,,,,\nfilter,1e6,1e5,200,5e4,16\ndetect,2e6,,,,\nhost,0,,,,\n"
)


def as_csv(folder: Path, matrix: str = MATRIX, figures: str | None = FIGURES) -> Path:
    path = folder / "mine.csv"
    path.write_text(matrix)
    if figures is not None:
        (folder / "mine_tasks.csv").write_text(figures)
    return path


def test_json_and_csv_say_the_same(tmp_path: Path) -> None:
    one, two = load(written(tmp_path, small())), load(as_csv(tmp_path))
    assert one.graph == two.graph and one.blocks == two.blocks == Blocks.default()
    assert SocWorkloads().get(str(tmp_path / "mine.csv")).digest == SocWorkloads().get(str(tmp_path / "mine.json")).digest


def test_blocks_of_ones_own(tmp_path: Path) -> None:
    processor = {"clock_hz": 2e9, "instructions_per_cycle": 4, "instructions_per_j": 1e10, "area_m2": 1e-6}
    table = {
        "sram": [[256000, 1e-13, 1e-13, 1e-8], [512000, 2e-13, 2e-13, 2e-8]],
        "dram": [[256000, 1e-12, 1e-12, 1e-9], [1e9, 1e-11, 1e-11, 1e-6]],
    }
    workload = load(written(tmp_path, small(blocks={"processor": processor, "memory_table": table})))
    assert workload.blocks.processor().rate == 8e9 and workload.blocks.memory_table[0][1][0] == 512000
    assert workload.blocks.energy_scale == Blocks.default().energy_scale


def changed(index: int, **changes: Any) -> list[dict[str, Any]]:
    tasks = [dict(task) for task in small()["tasks"]]
    tasks[index] |= changes
    return tasks


CYCLE = [["camera", "filter", 1], ["filter", "detect", 2], ["detect", "filter", 3], ["detect", "host", 4]]
NO_FIGURES: dict[str, Any] = {"cycles": 1e5, "energy_fj": 200.0}
BAD_JSON: dict[str, tuple[Any, str]] = {
    "not JSON": ("{", "mine.json line 1: not JSON"),
    "a list": ([], "expected an object with tasks, transfers"),
    "no transfers": ({"tasks": []}, "lacks transfers"),
    "unknown entry": (small(task=[]), "unknown entry of .*mine.json: 'task'"),
    "no name": (small(tasks=[{"processor_cycles": 1}]), r"tasks\[0\] lacks name"),
    "no figures": (small(tasks=changed(1, accelerator=NO_FIGURES)), r"tasks\[1\]: accelerator lacks area_um2"),
    "bad figure": (small(tasks=changed(1, processor_cycles="many")), "task 'filter': processor_cycles is 'many'"),
    "negative": (small(tasks=changed(1, processor_cycles=-1)), "task 'filter': processor_cycles is -1, expected a number of at least 0"),
    "zero energy": (small(tasks=changed(1, accelerator={**NO_FIGURES, "energy_fj": 0, "area_um2": 1})), "accelerator energy_fj is 0"),
    "half an iteration": (small(tasks=changed(1, accelerator={**NO_FIGURES, "area_um2": 1, "iterations": 1.5})), "iterations is 1.5"),
    "twice": (small(tasks=[*small()["tasks"], {"name": "host", "processor_cycles": 0}]), "task 'host' is there 2 times"),
    "unknown task": (small(transfers=[["camera", "filtre", 1]]), "unknown task in transfer camera -> filtre: .*did you mean 'filter'"),
    "no bytes": (small(transfers=[["camera", "filter", 0]]), "transfer camera -> filter: bytes is 0, expected a number of at least 1"),
    "no transfer": (small(transfers=[["camera", "filter"]]), r"transfers\[0\] is .*expected \[producer, consumer, bytes\]"),
    "transfer twice": (small(transfers=[*small()["transfers"], ["camera", "filter", 1]]), "camera -> filter is there twice"),
    "cycle": (small(transfers=CYCLE), "has a cycle: (filter -> detect -> filter|detect -> filter -> detect)"),
    "itself": (small(transfers=[["camera", "camera", 1]]), "camera -> camera: a task passes nothing on to itself"),
    "two sources": (small(transfers=small()["transfers"][1:]), "one task without parents, its source; this one has 2: camera, filter"),
    "source with work": (small(tasks=changed(0, processor_cycles=5)), "'camera' has no parents but has work: add a task without work"),
    "last task": (small(last_task="end"), "unknown last_task 'end'"),
    "idle with accelerator": (small(tasks=changed(0, accelerator={**NO_FIGURES, "area_um2": 1})), "'camera' has no work"),
    "no work": (small(tasks=[{"name": "a", "processor_cycles": 0}], transfers=[]), "needs a task with work"),
    "blocks": (small(blocks={"processor": {"clock_hz": 1e9}}), "processor lacks instructions_per_cycle"),
    "table": (small(blocks={"memory_table": {"sram": [[1, 2, 3, 4]]}}), "memory_table: sram is .*expected two or more rows"),
    "table row": (small(blocks={"memory_table": {"sram": [[1, 2, 3, 4], [2, 2, -3, 4]]}}), "row 2: write_j_per_byte is -3"),
    "table order": (small(blocks={"memory_table": {"sram": [[2, 2, 3, 4], [1, 2, 3, 4]]}}), "sizes must grow"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_refused_with_the_entry(tmp_path: Path, name: str) -> None:
    data, message = BAD_JSON[name]
    with pytest.raises(InputError, match=message) as error:
        load(written(tmp_path, data))
    assert "mine.json" in str(error.value)


BAD_CSV: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no figures": (lambda f: as_csv(f, figures=None), "what they take is expected in .*mine_tasks.csv"),
    "bad cell": (lambda f: as_csv(f, MATRIX.replace("320000", "much")), "row filter, column detect: got 'much', expected bytes"),
    "negative": (lambda f: as_csv(f, MATRIX.replace("320000", "-1")), "row filter, column detect: got -1, expected 1 byte or more"),
    "itself": (lambda f: as_csv(f, MATRIX.replace("filter,,,", "filter,,7,")), "row filter, column filter: a task passes nothing"),
    "cycle": (lambda f: as_csv(f, MATRIX.replace("detect,,,,100", "detect,,5,,100")), "has a cycle: "),
    "no row": (lambda f: as_csv(f, MATRIX.replace("host,,,,\n", "")), "task 'host' has a column but no row"),
    "no column": (lambda f: as_csv(f, MATRIX + "end,,,,\n"), "task 'end' has a row but no column"),
    "ragged": (lambda f: as_csv(f, MATRIX.replace("host,,,,", "host,,,")), "line 5: 4 cells, expected 5"),
    "empty": (lambda f: as_csv(f, "task,a\n"), "has no lines below its header"),
    "task missing": (lambda f: as_csv(f, figures=FIGURES.replace("host,0,,,,\n", "")), "mine_tasks.csv lacks the task 'host'"),
    "task unknown": (lambda f: as_csv(f, figures=FIGURES + "end,0,,,,\n"), "unknown task in .*mine_tasks.csv: 'end'"),
    "figure missing": (lambda f: as_csv(f, figures=FIGURES.replace("1e5,200,", "1e5,,")), "row filter, column energy_fj: it is empty"),
    "cycles missing": (lambda f: as_csv(f, figures=FIGURES.replace("detect,2e6", "detect,")), "row detect, column processor_cycles: it is"),
    "bad figure": (lambda f: as_csv(f, figures=FIGURES.replace("2e6", "x")), "row detect, column processor_cycles: got 'x'"),
    "column": (lambda f: as_csv(f, figures=FIGURES.replace("energy_fj", "energy")), "unknown column of .*mine_tasks.csv: 'energy'"),
    "iterations": (lambda f: as_csv(f, figures=FIGURES.replace("5e4,16", "5e4,1.5")), "column iterations: got 1.5"),
    "no file": (lambda f: f / "none.json", "cannot read .*none.json"),
    "no matrix": (lambda f: f / "none.csv", "cannot read .*none.csv"),
    "only a cycle": (lambda f: as_csv(f, MATRIX.replace("host,,,,", "host,9,,,")), "has a cycle: "),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CSV)
def test_bad_csv_is_refused_with_the_cell(tmp_path: Path, name: str) -> None:
    make, message = BAD_CSV[name]
    with pytest.raises(InputError, match=message):
        load(make(tmp_path))


def test_unknown_workload() -> None:
    with pytest.raises(InputError, match="did you mean 'hpvm_cava'"):
        SocWorkloads().get("hpvm_cavas")


BLOCKS_BAD = {
    "pes": (["A54"], "got block 'A54', expected A53_pe, or an accelerator"),
    "mems": (["LMEM_6_1_mem"], "width number 6, expected 0 to 5"),
    "buses": (["LMEM_ic_0_0_ic"], "expected a bus"),
}


@pytest.mark.parametrize("entry", BLOCKS_BAD)
def test_unknown_blocks_of_farsi(entry: str) -> None:
    workload = built_in("edge_detection")
    everywhere = dict.fromkeys(workload.graph.names, 0)
    design: dict[str, Any] = {
        "pes": ["A53_pe"], "mems": ["LMEM_0_1_mem"], "buses": ["LMEM_ic_0_1_ic"], "pe_to_bus": [0], "mem_to_bus": [0], "bus_links": [],
        "task_to_pe": everywhere, "task_to_mem": everywhere,
    }  # fmt: skip
    names, message = BLOCKS_BAD[entry]
    with pytest.raises(InputError, match=message):
        farsi_soc({**design, entry: names}, workload)
    with pytest.raises(InputError, match="unrolling of 3, expected one of 1, 2, 4"):
        farsi_soc({**design, "pes": ["computeGradient_IP0_3_1_pe"]}, workload)
    with pytest.raises(InputError, match="unknown task of the accelerator"):
        farsi_soc({**design, "pes": ["sobel_IP0_1_1_pe"]}, workload)
    with pytest.raises(InputError, match="the design lacks bus_links"):
        farsi_soc({name: value for name, value in design.items() if name != "bus_links"}, workload)
