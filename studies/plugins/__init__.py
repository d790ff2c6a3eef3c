"""Plugin files: a user's Python files that register environments, simulators and searchers of their own.

A plugin becomes the module ``designgym.studies.plugins.NAME_HASH``, with a hash of its path, so that its classes and functions pickle
by reference: a process that unpickles one imports this package first, which finds the file through the environment variable
`VARIABLE`. Processes started after loading inherit it; to others, pass `loaded_plugins` and let them call `load_plugins`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from designgym.core.errors import InputError

VARIABLE = "DESIGNGYM_PLUGINS"
"""Environment variable with the paths of the loaded plugins, as a JSON array."""


class PluginError(InputError):
    """A plugin file that is missing, does not parse, or raises; the message names the file and the line."""


def load_plugins(paths: Iterable[str | os.PathLike[str]]) -> list[ModuleType]:
    """Run plugin files, each once per process, in order.

    Raises:
        PluginError: For the first file that cannot be run; its registrations up to the error stay.
    """
    return [load_plugin(path) for path in paths]


def load_plugin(path: str | os.PathLike[str]) -> ModuleType:
    """Run one plugin file, unless this process has done so already, and return it as a module.

    Raises:
        PluginError: If the file is missing, does not parse, or raises.
    """
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise PluginError(f"there is no Python file {os.fspath(path)!r}: check the path")
    name = module_name(file)
    known = _paths()
    if file not in known:
        _set_paths([*known, file])
    try:
        return importlib.import_module(name)
    except Exception as error:
        _forget(file)
        raise PluginError(_explain(file, error)) from error
    except SystemExit as error:
        _forget(file)
        raise PluginError(f"{file} called exit({error.code!r}) while it was loaded: define and register things only") from error


def loaded_plugins() -> tuple[Path, ...]:
    """Return the plugin files loaded in this process, in order, for processes that must load them too."""
    return tuple(path for path in _paths() if module_name(path) in sys.modules)


def plugin_line(error: BaseException) -> str:
    """Return ``FILE, line N`` if an exception was raised in a loaded plugin's own code, else nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    if frames and Path(frames[-1].filename) in _paths():
        return f"{frames[-1].filename}, line {frames[-1].lineno}"
    return ""


def module_name(file: Path) -> str:
    """Return the module name of a plugin file: readable, different for different paths, equal in every process."""
    stem = re.sub(r"\W", "_", file.stem)
    return f"{__name__}.{stem}_{blake2b(str(file).encode(), digest_size=4).hexdigest()}"


def _paths() -> list[Path]:
    try:
        return [Path(part) for part in json.loads(os.environ.get(VARIABLE) or "[]")]
    except (ValueError, TypeError):
        raise PluginError(
            f"environment variable {VARIABLE} must be a JSON array of paths, got {os.environ[VARIABLE]!r}: unset it"
        ) from None


def _set_paths(paths: Sequence[Path]) -> None:
    os.environ[VARIABLE] = json.dumps([str(path) for path in paths])


def _forget(file: Path) -> None:
    _set_paths([path for path in _paths() if path != file])


def _explain(file: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}, line {error.lineno}: syntax error: {error.msg}"
    if isinstance(error, UnicodeDecodeError | SyntaxError):
        return f"{file} is not a Python file: {error}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    where = f"{file}, line {lines[-1]}" if lines else str(file)
    return f"{where}: {error}" if isinstance(error, InputError) else f"{where}: {type(error).__name__}: {error}"


class _Finder(MetaPathFinder):
    """Finds the modules below this package among the plugin files of the environment variable."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to load a plugin by its module name, or None for all other modules."""
        if not fullname.startswith(f"{__name__}."):
            return None
        for file in _paths():
            if module_name(file) == fullname:
                return importlib.util.spec_from_file_location(fullname, file, submodule_search_locations=None)
        return None


if not any(type(finder).__name__ == "_Finder" and type(finder).__module__ == __name__ for finder in sys.meta_path):
    sys.meta_path.append(_Finder())
