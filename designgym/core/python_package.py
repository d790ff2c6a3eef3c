"""`PythonPackage`: a simulator that is a Python package, perhaps in another Python, and how to run it in a process of its own."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from designgym.core.errors import NotInstalledError, shorten
from designgym.core.external import ProgramError, run_program
from designgym.core.program_results import RefusedError

__all__ = ["PythonPackage"]

JOB, RESULT, RUNNER = "job.json", "result.json", "runner.py"
ASKING_S = 60.0  # a busy machine may take seconds to start a Python
_ASK = """\
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_ENVIRONMENT = {
    "MPLBACKEND": "Agg",  # some draw as they go
    "PYTHONHASHSEED": "0",  # and iterate over sets
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class PythonPackage:
    """A simulator that pip installs.

    Attributes:
        label: Its name for people.
        packages: The distributions that a Python needs for it, the simulator's own first.
        variable: Environment variable with the path of a Python that has them; without it, the Python that runs us.
        remedy: How to get it.
        below: By distribution, the first version that does not work any more.
    """

    label: str
    packages: tuple[str, ...]
    variable: str
    remedy: str
    below: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def python(self, option: str | os.PathLike[str] | None = None) -> str:
        """Return the path of the Python to use: the option, else the environment variable, else our own."""
        given = os.fspath(option) if option is not None else os.environ.get(self.variable, "")
        # no resolving of links: a virtual environment's python is one
        return os.path.abspath(os.path.expanduser(given)) if given else sys.executable

    def installed(self, python: str) -> tuple[bool, str]:
        """Return whether a Python has what is needed, and the version, or what is missing and the remedy."""
        try:
            found = _versions(python, (*self.packages, *self.below), _stamp(python))
        except NotInstalledError as error:
            return False, f"{error}. {self.remedy}."
        if missing := [name for name in self.packages if name not in found]:
            return False, f"{python} lacks {' and '.join(missing)}. {self.remedy}."
        for name, limit in self.below.items():
            if name in found and _numbers(found[name]) >= limit:
                wanted = ".".join(map(str, limit))
                return False, f"{python} has {name} {found[name]}, with which {self.label} fails: it needs {name}<{wanted}. {self.remedy}."
        return True, f"{self.packages[0]} {found[self.packages[0]]} in {python}"

    def version(self, python: str) -> str:
        """Return the package's version in a Python, ``missing`` if it is not installed there."""
        found, words = self.installed(python)
        return words.split()[1] if found else "missing"

    def run(self, runner: Path, job: Mapping[str, Any], *, python: str, timeout_s: float) -> dict[str, Any]:
        """Run a script with a job in a process and a folder of its own, and return what it answers.

        The script reads `JOB` and writes `RESULT`, an object; with an entry ``refused`` for a design that the simulator refuses.

        Raises:
            NotInstalledError: If the Python lacks the package.
            RefusedError: If the simulator refuses the design.
            ProgramTimeout: If it ran longer than the limit and was killed.
            ProgramError: If it failed, ended itself, or answered with something else.
        """
        found, words = self.installed(python)
        if not found:
            raise NotInstalledError(f"{self.label} is not installed: {words}")
        files = {RUNNER: runner.read_text(encoding="utf-8"), JOB: json.dumps(job)}
        text = run_program([python, RUNNER], timeout_s=timeout_s, files=files, collect=[RESULT], environment=_ENVIRONMENT).files[RESULT]
        try:
            answer = json.loads(text)
        except json.JSONDecodeError as error:
            raise ProgramError(f"{self.label} exited with code 0, but its answer is no JSON: {error}: {shorten(text, 200)}") from None
        if not isinstance(answer, dict):
            raise ProgramError(f"{self.label} exited with code 0, but its answer is no object: {shorten(answer, 200)}")
        if "refused" in answer:
            raise RefusedError(f"{self.label}: {answer['refused']}")
        return answer


def _stamp(python: str) -> float:
    """Return when the environment of a Python changed last, as far as a look at its folder of packages tells."""
    root = Path(python).parent.parent
    places = [*root.glob("lib/python3*/site-packages"), Path(python)]
    return max((place.stat().st_mtime for place in places if place.exists()), default=0.0)


@lru_cache(maxsize=64)
def _versions(python: str, names: tuple[str, ...], stamp: float) -> dict[str, str]:
    """Return the versions of those of the distributions that a Python has; asked once for a ``stamp``."""
    del stamp
    if python == sys.executable:  # no process needed: listing environments must be quick
        found = {}
        for name in names:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        return found
    try:
        answer = json.loads(run_program([python, "-c", _ASK, *names], timeout_s=ASKING_S).stdout)
        return {str(name): str(version) for name, version in answer.items()}
    except (ProgramError, ValueError, AttributeError) as error:
        raise NotInstalledError(f"{python} does not say which packages it has: {shorten(str(error), 200)}") from None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
