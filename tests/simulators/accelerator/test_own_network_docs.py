"""The section "Your own network" of the documentation: its Python runs as it is written, and its commands are commands."""

import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import pytest

import designgym as dg
from designgym.envs import environment
from designgym.simulators.accelerator import read_network
from designgym.studies.cli.catalogue import COMMANDS

TEXT = (Path(__file__).parents[3] / "docs" / "accelerators.md").read_text()
SECTION = TEXT.partition("## Your own network\n")[2].partition("\n## ")[0]


def test_the_python_runs_and_the_files_of_the_commands_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    product = onnx.helper.make_node("MatMul", ["x", "x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, 1, shape) for name, shape in (("x", ["batch", "sequence", "sequence"]), ("y", None))]
    model = onnx.helper.make_model(onnx.helper.make_graph([product], "graph", values[:1], values[1:]))
    onnx.save(model, "encoder.onnx")
    first, second = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own
        exec(compile(first, "accelerators.md", "exec"), names)  # the text is our own
    assert isinstance(names["study"], dg.Study)
    assert [layer.name for layer, _ in read_network("mine.csv").layers] == ["stem", "depthwise", "up", "head.2"]
    assert read_network("mine.csv") == names["network"]
    exec(compile(second, "accelerators.md", "exec"), names)
    assert read_network("encoder.csv") == names["network"] and names["network"].macs == 128**3
    commands = [shlex.split(line) for line in re.findall(r"^designgym .*", SECTION, re.MULTILINE)]
    assert len(commands) == 2
    for _, command, env, *options in commands:
        assert command in COMMANDS
        workload = options[options.index("--workload") + 1]
        if workload.startswith("mine.csv"):
            assert len(environment(env).workload(workload).data.layers) == 1
