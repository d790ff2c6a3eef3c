"""Brings traces from the user's own clone or download into the data folder: checked, and as .stl."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from designgym.core.errors import InputError
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads.draws import GIB
from designgym.simulators.dram.workloads.formats import EXTENSIONS, read_trace, write_trace
from designgym.simulators.dram.workloads.library import (
    ARCHGYM_FOLDER,
    DATA_VARIABLE,
    SUBFOLDER,
    data_folders,
    expanded,
    is_name,
)

__all__ = ["ImportedTrace", "import_traces"]


@dataclass(frozen=True)
class ImportedTrace:
    """What became of one file.

    Attributes:
        name: Name of the workload from now on.
        source: The file it came from.
        status: ``imported``, ``unchanged`` (the same trace was there already) or ``refused``.
        reason: Why it was refused; empty otherwise.
        path: The written file; None if refused.
        requests: Number of requests.
        read_share: Share of reads, 0 to 1.
        digest: Digest of the trace.
    """

    name: str
    source: Path
    status: Literal["imported", "unchanged", "refused"]
    reason: str = ""
    path: Path | None = None
    requests: int = 0
    read_share: float = 0.0
    digest: str = ""


def import_traces(
    path: str | os.PathLike[str],
    destination: str | os.PathLike[str] | None = None,
    *,
    memory_bytes: int = GIB,
    overwrite: bool = False,
    clamp_times: bool = False,
) -> list[ImportedTrace]:
    """Check traces and write them as .stl files.

    Args:
        path: A trace file; a folder with trace files; or a clone of ArchGym.
        destination: Folder to write to; None means ``dram`` in the first folder of DESIGNGYM_DATA.
        memory_bytes: Size of the memory in bytes; every address must be below it.
        overwrite: Replace another trace of the same name instead of refusing.
        clamp_times: As in `read_trace`: accept times that go back, and write them as the latest time so far.

    Returns:
        One entry per file, sorted by name. Files of a folder that are not usable traces are entries with status ``refused``.

    Raises:
        InputError: There is nothing to import, no destination is known, or a single file is not a legal trace.
    """
    source = expanded(path)
    folder = _destination(destination)
    files = _trace_files(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}. Choose one that is writable.") from None
    options = _Options(memory_bytes, overwrite, clamp_times, strict=source.is_file())
    return [_import(file, folder, options) for file in files]


def _destination(given: str | os.PathLike[str] | None) -> Path:
    if given is not None:
        return expanded(given)
    folders = data_folders()
    if not folders:
        raise InputError(f"{DATA_VARIABLE} is not set. Set it to the folder where your data shall be kept, or name one with --to.")
    return folders[0] / SUBFOLDER


def _trace_files(source: Path) -> Sequence[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise InputError(f"cannot import {source}: it does not exist. Give a trace file, a folder or a clone of ArchGym.")
    folder = source / ARCHGYM_FOLDER if (source / ARCHGYM_FOLDER).is_dir() else source
    inside = folder.resolve()
    # A link in someone else's download must not pull in files from elsewhere on this machine.
    files = [
        file
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in EXTENSIONS and file.is_file() and file.resolve().is_relative_to(inside)
    ]
    if not files:
        ends = ", ".join(EXTENSIONS)
        raise InputError(f"there are no traces ({ends}) in {folder}. Give the folder that holds them.")
    return files


@dataclass(frozen=True)
class _Options:
    memory_bytes: int
    overwrite: bool
    clamp_times: bool
    strict: bool  # a single file that is refused is an error


def _import(file: Path, folder: Path, options: _Options) -> ImportedTrace:
    name = file.stem
    try:
        if not is_name(name):
            raise InputError(f"{name!r} cannot be a workload's name. Rename the file: letters, digits, dot, _, + and -.")
        trace = read_trace(file, memory_bytes=options.memory_bytes, clamp_times=options.clamp_times)
        target = folder / f"{name}.stl"
        unchanged = target.is_file() and _same(target, trace, options.memory_bytes)
        if not unchanged:
            if target.exists() and not options.overwrite:
                raise InputError(f"{target} is there already and differs. Remove it, or import with --overwrite (overwrite=True).")
            write_trace(trace, target)
    except InputError as error:
        if options.strict:
            raise
        return ImportedTrace(name, file, "refused", str(error))
    status: Literal["imported", "unchanged"] = "unchanged" if unchanged else "imported"
    return ImportedTrace(name, file, status, "", target, len(trace), 1.0 - trace.write_share, trace.digest)


def _same(target: Path, trace: Trace, memory_bytes: int) -> bool:
    try:
        return read_trace(target, memory_bytes=memory_bytes) == trace
    except InputError:
        return False
