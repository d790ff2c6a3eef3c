"""The user's vLLM: the command line of a design, and a program in its place that writes down how it was started."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from designgym.core.errors import NotInstalledError
from designgym.core.evaluator import Evaluator
from designgym.hashing import AuditedFingerprints, LocalCache
from designgym.simulators.serving.engine import VllmServing
from designgym.simulators.serving.engine_flags import serve_command, serve_flags
from designgym.simulators.serving.live.vllm_server import VllmServer
from designgym.simulators.serving.workloads import find_requests, make_workload

pytest.importorskip("openai", reason="openai is not installed")

FAKE = Path(__file__).with_name("fake_server.py")
FEW = make_workload("few", find_requests("short-chat:requests=3,rate=100"))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return an executable that behaves like vllm's command as far as we use it."""
    path = tmp_path / "vllm"
    path.write_text(
        f"#!{sys.executable}\nimport pathlib, runpy, sys\n"
        "if sys.argv[1:] == ['--version']:\n    print('vllm 0.32.0'); sys.exit()\n"
        f"with open({str(tmp_path / 'starts')!r}, 'a') as file:\n    file.write(' '.join(sys.argv[1:]) + '\\n')\n"
        "behaviour = 'refuses' if '--quantization' in sys.argv else 'good'\n"
        "sys.argv = ['fake', sys.argv[sys.argv.index('--port') + 1], behaviour, '0.002']\n"
        f"runpy.run_path({str(FAKE)!r}, run_name='__main__')\n"
    )
    path.chmod(0o755)
    return path


def test_the_command_line_has_what_the_design_says() -> None:
    space = VllmServing().space
    design = space.default().replace(
        enable_prefix_caching=False, async_scheduling="off", quantization="fp8", speculative_method="ngram", num_speculative_tokens=4
    )
    command = serve_command(design, "my/model")
    assert command.startswith("vllm serve my/model --max-num-seqs 256 --max-num-batched-tokens 8192 ")
    parts = shlex.split(command)
    for flag in ("--no-enable-prefix-caching", "--enable-chunked-prefill", "--no-async-scheduling"):
        assert flag in parts
    assert parts[parts.index("--speculative-config") + 1] == '{"method": "ngram", "num_speculative_tokens": 4}'
    assert parts[parts.index("--quantization") + 1] == "fp8"
    usual = serve_flags(space.default())
    assert not {"--quantization", "--speculative-config", "--async-scheduling", "--no-async-scheduling"} & set(usual)
    assert VllmServing().describe(space.validate(space.default())).startswith("vllm serve meta-llama/Meta-Llama-3.1-8B ")


def test_designs_are_measured_and_duplicates_start_no_server(program: Path) -> None:
    simulator = VllmServer(path=program, gpu="h100_sxm", warm_up=0, min_repeats=1, max_repeats=1, extra="--enforce-eager")
    assert simulator.installed()[0] and simulator.version.startswith("1+0.32.0+")
    space = simulator.space
    one = space.validate(space.default())
    same = space.validate(one.replace(gpu_memory_utilization=0.9))  # nothing fills either
    other = space.validate(one.replace(max_num_seqs=1))
    bad = space.validate(one.replace(quantization="fp8"))
    try:
        trials = Evaluator(
            simulator, FEW, cache=LocalCache(), fingerprints=AuditedFingerprints("on", audit_share=0.0, first_audits=0)
        ).evaluate([one, same, other, bad])
    finally:
        simulator.close()
    assert [trial.metrics.status for trial in trials] == ["ok", "ok", "ok", "failed"]
    assert trials[1].metrics.values == trials[0].metrics.values and "unknown model" in trials[3].metrics.error
    starts = (program.parent / "starts").read_text().splitlines()
    assert len(starts) == 3 and all("--enforce-eager --host 127.0.0.1 --port" in line for line in starts)


def test_behaviours_are_what_a_server_does_not_how_full_it_is() -> None:
    simulated = VllmServing()
    space, rng = simulated.space, np.random.default_rng(0)
    one = space.validate(space.default())
    for change in ({"gpu_memory_utilization": 0.8}, {"max_num_seqs": 512}, {"scheduling_policy": "priority"}):
        assert simulated.behaviours([one, space.validate(one.replace(**change))], FEW)[0] == simulated.behaviours([one], FEW)[0]
    designs = space.sample(rng, 40)
    times = [simulated.evaluate([design], FEW)[0]["e2e_p99_s"] for design in designs]
    seen: dict[bytes, float] = {}
    for behaviour, time in zip(simulated.behaviours(designs, FEW), times, strict=True):
        assert seen.setdefault(behaviour, time) == time


def test_without_vllm_it_says_how_to_get_it(tmp_path: Path) -> None:
    simulator = VllmServer(path=tmp_path / "vllm")
    found, words = simulator.installed()
    assert not found and "DESIGNGYM_VLLM" in words
    with pytest.raises(NotInstalledError, match="vLLM is not installed"):
        simulator.evaluate([simulator.space.validate(simulator.space.default())], FEW)
