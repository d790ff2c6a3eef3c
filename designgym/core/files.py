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
def written_whole(path: Path, doing: str = "write") -> Iterator[Path]:
    """Yield a temporary file beside ``path``, which takes its place, safe on the disk, when the block ends without an error.

    Args:
        path: The file to be; folders on the way are made.
        doing: What is being done, for messages: ``cannot <doing> 'file': ...``.

    Raises:
        InputError: If the path cannot be a file, or its folder cannot be made or is not writable.
        DesignGymError: If it cannot be written for another reason, such as a full disk.
    """
    target = path.resolve()  # a link stays, what it leads to is written
    if target.is_dir():
        raise InputError(f"cannot {doing} {str(path)!r}: it is a folder; name a file in it")
    if target.exists() and not target.is_file():
        raise InputError(f"cannot {doing} {str(path)!r}: it is not a regular file; name one")
    try:
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
        what = "a folder on the way is a file" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror or error
        raise kind(f"cannot {doing} {str(path)!r}: {what}; choose another place") from None
