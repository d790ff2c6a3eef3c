"""Plugin files: loaded once, under a name that other processes find."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from designgym.studies.plugins import VARIABLE, PluginError, load_plugin, load_plugins, loaded_plugins, module_name

CODE = "calls = []\ncalls.append(1)\nclass Thing:\n    def __eq__(self, other): return type(self) is type(other)\n"


@pytest.fixture(autouse=True)
def _variable_restored() -> Iterator[None]:
    before = os.environ.pop(VARIABLE, None)
    yield
    os.environ.pop(VARIABLE, None)
    if before is not None:
        os.environ[VARIABLE] = before


def test_a_plugin_runs_once_and_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "my plugin: ü.py"
    path.write_text(CODE)
    first, second = load_plugins([path, str(path)])
    assert first is second and first.calls == [1]
    assert loaded_plugins() == (path,)


def test_equal_names_in_different_folders_are_different_modules(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "plugin.py" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(f"where = {str(path)!r}\n")
    assert [module.where for module in load_plugins(paths)] == [str(path) for path in paths]
    assert module_name(paths[0]) != module_name(paths[1])


def test_objects_of_a_plugin_unpickle_in_another_process(tmp_path: Path) -> None:
    path, data = tmp_path / "things.py", tmp_path / "thing.pickle"
    path.write_text(CODE)
    data.write_bytes(pickle.dumps(load_plugin(path).Thing()))
    code = f"import pickle\nprint(type(pickle.load(open({str(data)!r}, 'rb'))).__qualname__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() == "Thing", result.stderr


def test_a_plugin_that_failed_is_not_remembered_and_can_be_mended(tmp_path: Path) -> None:
    path = tmp_path / "mended.py"
    path.write_text("raise RuntimeError('not yet')\n")
    with pytest.raises(PluginError, match=r"mended\.py, line 1: RuntimeError: not yet"):
        load_plugin(path)
    assert loaded_plugins() == ()
    path.write_text("value = 'a longer text, so that the compiled file is not taken for this one'\n")
    assert load_plugin(path).value


def test_a_broken_variable_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "/a:/b")
    with pytest.raises(PluginError, match="must be a JSON array"):
        load_plugin(__file__)
