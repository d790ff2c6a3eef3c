"""Every command is in the documentation, with the options that it has."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from designgym.studies.cli.app import app
from designgym.studies.cli.catalogue import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "cli.md").read_text()
ALWAYS = {"--plugin", "--debug", "--help"}


def command_of(name: str) -> Any:
    program: Any = typer.main.get_command(app)
    return program.get_command(None, name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_and_has_help(name: str) -> None:
    assert f"designgym {name}" in TEXT
    assert len(command_of(name).help.splitlines()[0]) > 20, f"designgym {name} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_documented_and_documented_options_exist(name: str) -> None:
    command = command_of(name)
    commands = [command, *getattr(command, "commands", {}).values()]
    real = {option for one in commands for parameter in one.params for option in parameter.opts if option.startswith("--")}
    usage = re.findall(rf"designgym {name}\b([^`\n]*)", TEXT)
    documented = set(re.findall(r"--[a-z][a-z-]*", " ".join(usage)))
    assert documented <= real | ALWAYS, f"docs/cli.md names options that designgym {name} does not have"
    assert real - ALWAYS <= documented, f"docs/cli.md does not name all options of designgym {name}"


def test_the_commands_of_the_documentation_exist() -> None:
    named = set(re.findall(r"designgym ([a-z]+(?:-[a-z]+)*)\b", TEXT))
    assert named <= set(COMMANDS), named - set(COMMANDS)
