"""Files that appear whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from designgym.core.errors import DesignGymError, InputError

PLACE_ERRORS = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)  # of the place, not of the disk


@contextmanager
def written_whole(path: Path, doing: str = "write", *, make_folders: bool = False) -> Iterator[Path]:
    """Yield a temporary file beside ``path``, which takes its place, safe on the disk, when the block ends without an error.

    Args:
        path: The file to be.
        doing: What is being done, for messages: ``cannot <doing> 'file': ...``.
        make_folders: Whether to make the folders on the way.

    Raises:
        InputError: If the path cannot be a file, or its folder does not exist or is not writable.
        DesignGymError: If it cannot be written for another reason, such as a full disk.
    """
    target = path.resolve()  # a link stays, what it leads to is written
    if target.is_dir():
        raise InputError(f"cannot {doing} {str(path)!r}: it is a folder; name a file in it")
    if target.exists() and not target.is_file():
        raise InputError(f"cannot {doing} {str(path)!r}: it is not a regular file; name one")
    try:
        if make_folders:
            target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem[:40]}-", suffix=target.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o644)  # temporary files are private to the user; a result need not be
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        kind = InputError if isinstance(error, PLACE_ERRORS) else DesignGymError
        raise kind(f"cannot {doing} {str(path)!r}: {error.strerror or error}; choose another place") from None
