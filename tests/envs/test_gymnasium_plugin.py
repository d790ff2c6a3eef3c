"""`gymnasium.make` finds our environments whatever was imported first. Each case needs a process of its own."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from designgym import gymnasium_plugin
from designgym.envs import BUILT_IN
from designgym.envs.design_env import make_env

# the latest version: of an older one Gymnasium says that it is out of date
MAKE = "env = gymnasium.make('designgym/DramController-v1'); env.reset(); env.step(env.action_space.sample()); print('made', env.spec.id)"
STARTUP_LINE = Path(sysconfig.get_path("purelib")) / "designgym-gymnasium.pth"


def run(code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower(), done.stderr
    return done.stdout


@pytest.mark.parametrize("imports", ["import designgym, gymnasium", "import gymnasium, designgym", "import gymnasium, designgym.envs"])
def test_in_any_order(imports: str) -> None:
    assert "made designgym/DramController-v1" in run(f"{imports}; {MAKE}")


def test_with_gymnasiums_module_prefix() -> None:
    code = "import gymnasium; print(gymnasium.make('designgym:designgym/DramController-v1').unwrapped.form)"
    assert run(code) == "design\n"


@pytest.mark.skipif(not STARTUP_LINE.exists(), reason="not installed with pip: Python runs no line of ours at its start")
def test_without_importing_us_at_all() -> None:
    assert "made" in run(f"import gymnasium; {MAKE}")
    loaded = run("import sys, gymnasium; print(sorted(name for name in sys.modules if name.startswith('designgym')))")
    assert loaded == "[]\n"  # nothing that takes time, or that would keep another checkout from being imported


def test_importing_us_does_not_import_gymnasium() -> None:
    assert run("import sys, designgym; print('gymnasium' in sys.modules, 'numpy' in sys.modules)") == "False False\n"


def test_the_ids_are_the_built_in_ones() -> None:
    assert set(gymnasium_plugin.IDS) == set(BUILT_IN)
    assert f"{make_env.__module__}:{make_env.__name__}" == gymnasium_plugin.ENTRY_POINT


def test_installing_again_changes_nothing() -> None:
    finders = list(sys.meta_path)
    gymnasium_plugin.install()
    gymnasium_plugin.install()
    assert sys.meta_path == finders
