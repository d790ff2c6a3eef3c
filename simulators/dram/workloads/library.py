"""Find workloads by name: in the user's folders first, then among the generated ones."""

import contextlib
import difflib
import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from designgym.core.errors import InputError, shorten, shorten_list
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads.catalogue import CATALOGUE, generate
from designgym.simulators.dram.workloads.draws import GIB
from designgym.simulators.dram.workloads.formats import CLOCK_NS, EXTENSIONS, read_trace

__all__ = [
    "ARCHGYM_TRACES",
    "DATA_VARIABLE",
    "SUBFOLDER",
    "UnknownWorkloadError",
    "available_workloads",
    "data_folders",
    "find_workload",
]

ARCHGYM_TRACES = ("stream", "random", "cloud-1", "cloud-2")
"""Traces of ArchGym, which are not ours to ship; they are found in the user's folders."""
ARCHGYM_REPOSITORY = "https://github.com/srivatsankrishnan/oss-arch-gym"
ARCHGYM_FOLDER = "sims/DRAM/DRAMSys/library/resources/traces"
DATA_VARIABLE = "DESIGNGYM_DATA"
"""Environment variable with the folders of the user's data, separated as in PATH."""
SUBFOLDER = "dram"
"""Folder inside a data folder that is searched too."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_REFERENCE = ".stl"  # DRAMSys's own format
_SEARCHED = (_REFERENCE, ".trace", ".csv")


class UnknownWorkloadError(InputError):
    """There is no workload of that name."""


def data_folders() -> tuple[Path, ...]:
    """Return the folders named by DESIGNGYM_DATA, whether they exist or not."""
    return tuple(expanded(part) for part in os.environ.get(DATA_VARIABLE, "").split(os.pathsep) if part.strip())


def find_workload(
    name: str | os.PathLike[str],
    *,
    directories: Iterable[str | os.PathLike[str]] | None = None,
    memory_bytes: int = GIB,
    clock_ns: float = CLOCK_NS,
) -> Trace:
    """Find a workload.

    The order: the given directories, the folders of DESIGNGYM_DATA (in each NAME.stl, NAME.trace, NAME.csv, then the same in
    its subfolder ``dram``), the generated workloads; lastly a name that is the path of a trace file.

    A NAME.stl of a folder is somebody's reference, which must give what it gives in DRAMSys: times that go back are accepted with
    DRAMSys's meaning, the latest time so far, and a warning. In a file given by its path they are taken for a mistake and refused.

    Args:
        name: Name of a workload, or path of a trace file.
        directories: Folders to search first.
        memory_bytes: Size of the memory in bytes; every address must be below it.
        clock_ns: Length of one tick in ns, for traces that do not say.

    Raises:
        UnknownWorkloadError: There is no such workload.
        InputError: A folder does not exist, or a file is not a legal trace.
    """
    given = [expanded(folder) for folder in directories or ()]
    for folder in given:
        if not folder.is_dir():
            raise InputError(f"the workload folder {folder} does not exist or is not a folder. Check the path.")
    text = os.fspath(name)
    if is_name(text):
        for folder in (*given, *data_folders()):
            if (path := _in_folder(folder, text)) is not None:
                return _read(path, text, memory_bytes, clock_ns, clamp_times=path.suffix == _REFERENCE)
        if text in CATALOGUE:
            return _generated(text)
    path = expanded(text)
    if _is_file(path):
        return _read(path, path.stem, memory_bytes, clock_ns, clamp_times=False)
    raise _unknown(text, given)


def available_workloads(directories: Iterable[str | os.PathLike[str]] | None = None) -> tuple[str, ...]:
    """Return the names that `find_workload` knows: those in the folders, sorted, then the generated ones."""
    found: set[str] = set()
    for folder in (*(expanded(folder) for folder in directories or ()), *data_folders()):
        for place in (folder, folder / SUBFOLDER):
            # A folder that is missing or may not be read offers nothing; this is a list of suggestions, not a check.
            with contextlib.suppress(OSError):
                found.update(path.stem for path in place.iterdir() if path.suffix in _SEARCHED and path.is_file())
    return (*sorted(name for name in found - CATALOGUE.keys() if is_name(name)), *CATALOGUE)


def is_name(text: str) -> bool:
    """Return whether a text can be a workload's name: no folders in it, so that no name leads out of a folder."""
    return _NAME.fullmatch(text) is not None


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with a leading ~ replaced; one of an unknown user stays, and is then not found."""
    return Path(os.path.expanduser(path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that may not be entered
        return False


def _in_folder(folder: Path, name: str) -> Path | None:
    for place in (folder, folder / SUBFOLDER):
        for end in _SEARCHED:
            path = place / f"{name}{end}"
            if _is_file(path):
                return path
    return None


def _read(path: Path, name: str, memory_bytes: int, clock_ns: float, *, clamp_times: bool) -> Trace:
    # A file that changes is read again; one that does not is read once per process, however many designs run on it.
    status = path.stat()
    return _read_once(path, status.st_mtime_ns, status.st_size, name, memory_bytes, clock_ns, clamp_times)


@lru_cache(maxsize=16)
def _read_once(path: Path, mtime_ns: int, size: int, name: str, memory_bytes: int, clock_ns: float, clamp_times: bool) -> Trace:
    return read_trace(path, name=name, memory_bytes=memory_bytes, clock_ns=clock_ns, clamp_times=clamp_times)


@lru_cache(maxsize=16)
def _generated(name: str) -> Trace:
    return generate(name)


def _unknown(name: str, given: Sequence[Path]) -> UnknownWorkloadError:
    known = available_workloads(given)
    message = f"unknown DRAM workload {shorten(name)}"
    if name in ARCHGYM_TRACES:
        return UnknownWorkloadError(
            f"{message}: it is ArchGym's and not shipped here. Clone {ARCHGYM_REPOSITORY} and run "
            f"`designgym data import dram CLONE/{ARCHGYM_FOLDER}` with {DATA_VARIABLE} set to a folder of yours. "
            f"Without files: {shorten_list(known)}"
        )
    if Path(name).suffix.lower() in EXTENSIONS or not is_name(name):
        return UnknownWorkloadError(f"{message}: there is no such file. Give an existing trace file or one of {shorten_list(known)}")
    close = difflib.get_close_matches(name, dict.fromkeys((*known, *ARCHGYM_TRACES)), n=3, cutoff=0.5)
    advice = f"did you mean {' or '.join(repr(match) for match in close)}? Known" if close else "known"
    searched = ", ".join(str(folder) for folder in (*given, *data_folders())) or f"no folders ({DATA_VARIABLE} is not set)"
    return UnknownWorkloadError(f"{message}: {advice}: {shorten_list(known)}. Searched: {searched}")
