"""Both stages of tuning vLLM, with a program in vLLM's place that answers as its command line lets it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openai", reason="openai is not installed")

ROOT = Path(__file__).parents[2]
FAKE = ROOT / "tests" / "simulators" / "serving" / "live" / "fake_server.py"


def test_it_measures_the_promising_and_ends_with_the_command_and_what_to_expect(tmp_path: Path) -> None:
    program = tmp_path / "vllm"
    program.write_text(
        f"#!{sys.executable}\nimport runpy, sys\n"
        "if sys.argv[1:] == ['--version']:\n    print('vllm 0.32.0'); sys.exit()\n"
        f"with open({str(tmp_path / 'starts')!r}, 'a') as file:\n    file.write(' '.join(sys.argv[1:]) + '\\n')\n"
        "pace = '0.0005' if '--block-size 16 ' in ' '.join(sys.argv) else '0.002'\n"
        "sys.argv = ['fake', sys.argv[sys.argv.index('--port') + 1], 'good', pace]\n"
        f"runpy.run_path({str(FAKE)!r}, run_name='__main__')\n"
    )
    program.chmod(0o755)
    command = [sys.executable, str(ROOT / "examples" / "tune_vllm.py"), "--simulate", "60", "--measure", "4", "--served", "my/model"]
    command += ["--workload", "short-chat", "--requests", "12", "--rate", "40"]
    environment = os.environ | {"DESIGNGYM_VLLM": str(program), "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def run() -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = run()
    starts = (tmp_path / "starts").read_text().splitlines()
    assert 2 <= len(starts) <= 4 and "--max-num-seqs 256 --max-num-batched-tokens 8192 " in starts[0]  # the default flags first
    last = printed.strip().splitlines()[-1]
    assert last.startswith("vllm serve my/model --max-num-seqs ") and "--gpu-memory-utilization" in shlex.split(last)
    (row,) = (line.split() for line in printed.splitlines() if line.startswith("output_throughput_tps"))
    assert float(row[-1]) > 0 and " to " in " ".join(row)
    run()
    assert len((tmp_path / "starts").read_text().splitlines()) == len(starts)  # what was measured is kept
