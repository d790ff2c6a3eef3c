"""Schedules of the real vLLM scheduler, step for step; and how bad files of them are refused."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from designgym.core.errors import InputError
from designgym.simulators.serving.schedule_trace import read_cases, simulate_case

RECORDED = Path(__file__).with_name("vllm_0_32_schedules.jsonl.gz")


@pytest.mark.parametrize("case", list(read_cases(RECORDED)), ids=lambda case: case.name)
def test_every_step_is_that_of_the_real_scheduler(case: Any) -> None:
    steps, finish = simulate_case(case)
    for ours, recorded in zip(steps, case.steps, strict=True):
        assert ours == recorded
    assert finish == case.finish


# The worked example of a run of the real scheduler: (first step, last step, batch, preempted in the first, free blocks after the last).
SHARED = list(range(64))
REQUESTS = [
    {"arrival_step": 0, "prompt": SHARED + [100] * 36, "max_tokens": 20},
    {"arrival_step": 0, "prompt": [200] * 40, "max_tokens": 40},
    {"arrival_step": 1, "prompt": [300] * 30, "max_tokens": 60},
    {"arrival_step": 2, "prompt": SHARED + [400] * 26, "max_tokens": 12},
]
BEGINNING: list[tuple[int, int, dict[int, int], list[int], int]] = [
    (0, 0, {0: 64}, [], 9),
    (1, 1, {0: 36, 1: 28}, [], 4),
    (2, 2, {0: 1, 1: 12, 2: 30}, [], 1),
    (3, 10, {0: 1, 1: 1, 2: 1}, [], 0),
    (11, 11, {0: 1, 1: 1}, [2], 2),
    (12, 20, {0: 1, 1: 1}, [], 1),
]
SYNC = [
    *BEGINNING,
    (21, 21, {1: 1, 2: 23, 3: 26}, [], 0),
    (22, 26, {1: 1, 2: 1, 3: 1}, [], 0),
    (27, 27, {1: 1, 2: 1}, [3], 5),
    (28, 41, {1: 1, 2: 1}, [], 4),
    (42, 42, {2: 1, 3: 32}, [], 3),
    (43, 47, {2: 1, 3: 1}, [], 1),
    (48, 71, {2: 1}, [], 7),
]
ASYNC_BATCHES = [
    (21, 21, {1: 1}), (22, 22, {1: 1, 2: 23, 3: 26}), (23, 26, {1: 1, 2: 1, 3: 1}), (27, 41, {1: 1, 2: 1}), (42, 42, {2: 1}),
    (43, 43, {2: 1, 3: 31}), (44, 49, {2: 1, 3: 1}), (50, 72, {2: 1}), (73, 73, {}),
]  # fmt: skip


def record(**changes: Any) -> dict[str, Any]:
    config = {
        "max_num_seqs": 4, "max_num_batched_tokens": 64, "max_model_len": 512, "num_gpu_blocks": 14, "async_scheduling": False,
    }  # fmt: skip
    return {"config": config, "requests": REQUESTS, "steps": []} | changes


def write(folder: Path, *lines: Any) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def test_worked_example(tmp_path: Path) -> None:
    (case,) = read_cases(write(tmp_path, record()))
    steps, finish = simulate_case(case)
    by_number = {step.step: step for step in steps}
    assert list(by_number) == list(range(72))
    for first, last, batch, preempted, free in SYNC:
        assert all(by_number[i].batch == tuple(batch.items()) for i in range(first, last + 1)), first
        assert by_number[first].preempted == tuple(preempted) and by_number[last].free_blocks == free
    assert {r: end[0] - 1 for r, end in finish.items()} == {0: 20, 1: 41, 2: 71, 3: 47}


def test_worked_example_with_async_scheduling(tmp_path: Path) -> None:
    (case,) = read_cases(write(tmp_path, record(config={**record()["config"], "async_scheduling": True})))
    by_number = {step.step: step for step in simulate_case(case)[0]}
    expected = [(first, last, batch) for first, last, batch, _, _ in BEGINNING] + ASYNC_BATCHES
    for first, last, batch in expected:
        assert all(by_number[i].batch == tuple(batch.items()) for i in range(first, last + 1)), first
    assert list(by_number) == list(range(74)) and [i for i, step in by_number.items() if step.preempted] == [11, 27]


def test_compressed_and_plain_files_are_alike(tmp_path: Path) -> None:
    plain = write(tmp_path, record(seed=5), record())
    compressed = tmp_path / "cases"
    compressed.write_bytes(gzip.compress(plain.read_bytes()))
    for path in (plain, compressed):
        cases = list(read_cases(path))
        assert [case.config for case in cases] == [cases[0].config] * 2
        assert cases[0].name == "seed 5" and cases[1].name == "line 2"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: not JSON"),
        ({"config": {}}, "expected an object with config, requests and steps"),
        (record(config={"max_seqs": 1}), "unknown argument in config 'max_seqs': did you mean"),
        (record(config={"max_num_seqs": 0}), "max_num_seqs must be a whole number of 1 or more, but is 0"),
        (record(config={"scheduling_policy": "lifo"}), "scheduling_policy must be one of 'fcfs', 'priority', but is 'lifo'"),
        (record(config={"enable_chunked_prefill": False, "max_num_batched_tokens": 512}), "long prompts would never run"),
        (record(requests=[]), "requests is empty"),
        (record(requests=[{"prompt": [1]}]), r"requests\[0\] lacks arrival_step, max_tokens"),
        (record(requests=[{"arrival_step": 0, "prompt": "x", "max_tokens": 1}]), r"requests\[0\].prompt: expected a list of token ids"),
        (record(requests=[REQUESTS[2], REQUESTS[0]]), "request 1 arrives at 0 s, before the one ahead of it"),
        (record(requests=[{"arrival_step": 0, "prompt": [], "max_tokens": 1}]), "request 0: prompt_tokens is 0"),
        (record(steps=[[0, [[9, 1]], [], 1, 1, 0]]), r"steps\[0\]: got request '9', expected one of 0 to 3"),
        (record(steps=[[0, [], []]]), r"steps\[0\]: got .*, expected \[step, batch"),
        (record(finish={"0": [1, 2]}), r"finish\[0\]: got '\[1, 2\]', expected 3 whole numbers"),
    ],
)
def test_what_is_no_case_is_refused(tmp_path: Path, line: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read_cases(write(tmp_path, line)))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(RECORDED.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"cut\.gz"):
        list(read_cases(path))
    with pytest.raises(InputError, match="cannot read"):
        list(read_cases(tmp_path / "none.jsonl"))
