"""Public names: each can be had, and type checkers see the same ones as Python."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = (
    "designgym", "designgym.envs", "designgym.hashing", "designgym.searchers", "designgym.simulators.accelerator",
    "designgym.simulators.dram",
    "designgym.simulators.dram.workloads", "designgym.studies", "designgym.studies.figures", "designgym.core.testing",
)  # fmt: skip


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_can_be_had(name: str) -> None:
    package = importlib.import_module(name)
    assert len(set(package.__all__)) == len(package.__all__)
    for public in package.__all__:
        assert getattr(package, public) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match=rf"{name}' has no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


@pytest.mark.parametrize("name", [name for name in PACKAGES if hasattr(importlib.import_module(name), "_HOMES")])
def test_type_checkers_see_the_names_that_are_loaded_when_used(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__file__ is not None
    blocks = [node for node in ast.parse(Path(package.__file__).read_text()).body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for block in blocks for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    modules = getattr(package, "_MODULES", {})
    assert {public: module for public, module in seen.items() if public not in modules} == {
        public: f"{name}.{home}" for public, home in package._HOMES.items()
    }


def test_importing_designgym_imports_nothing_heavy() -> None:
    code = "import sys, designgym.studies; print([name for name in ('numpy', 'pandas', 'ray', 'torch') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
