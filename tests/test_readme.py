"""The README's code is code: it parses, what it names exists, its study can be defined, its commands are commands."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import designgym as dg
from designgym.core import registry
from designgym.studies.cli.catalogue import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_there_are_two_pieces_of_python() -> None:
    assert len(BLOCKS) == 2


@pytest.mark.parametrize("block", BLOCKS, ids=["study", "environment"])
def test_what_the_python_names_exists(block: str) -> None:
    known: dict[str, Any] = {"dg": dg, "gymnasium": __import__("gymnasium")}
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Attribute) and (path := ast.unparse(node)).split(".")[0] in known:
            value: Any = known[path.split(".")[0]]
            for name in path.split(".")[1:]:
                value = getattr(value, name)  # an AttributeError names what is missing
    assert all(registry.spec(name).id == name for name in re.findall(r'"(designgym/[\w-]+)"', block))


def test_the_study_is_one_and_what_is_done_with_its_result_can_be() -> None:
    defined: dict[str, Any] = {"__name__": "readme"}
    exec(compile(BLOCKS[0], "README.md", "exec"), defined)  # the text is our own
    study = defined["study"]
    assert isinstance(study, dg.Study) and len(study.definition.searchers) >= 3
    small = dg.Study("small", study.definition.env, objective=study.definition.objective, budget=8)
    result = small.run(backend="local", store=":memory:", progress=False)
    calls = set(re.findall(r"result\.([\w.]+)\(", BLOCKS[0]))
    assert calls == {"best", "plot.pareto", "report"}
    assert result.best().design and result.plot.pareto().show and callable(result.report)


def test_the_commands_exist() -> None:
    lines = [line.split("#")[0] for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("designgym ")]
    assert len(commands) >= 5 and {words[1] for words in commands} <= set(COMMANDS)
    targets = {line.split()[1] for line in lines if line.startswith("make ")}
    assert targets and all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in targets)
    files = [word for words in commands for word in words if word.endswith(".py")]
    assert files and all((ROOT / name).is_file() for name in files)
