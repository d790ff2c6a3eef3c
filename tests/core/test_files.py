"""A file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from designgym.core.errors import DesignGymError, InputError
from designgym.core.files import written_whole


def write(path: Path, text: str, *, fail: Exception | None = None) -> None:
    with written_whole(path, "save") as temporary:
        temporary.write_text(text)
        if fail is not None:
            raise fail


@pytest.mark.parametrize("fail", [OSError(28, "No space left on device"), RuntimeError("a bug"), KeyboardInterrupt()], ids=repr)
def test_what_goes_wrong_leaves_the_old_file_and_nothing_else(tmp_path: Path, fail: Exception) -> None:
    path = tmp_path / "result.txt"
    write(path, "old")
    with pytest.raises((type(fail), DesignGymError)) as caught:
        write(path, "new", fail=fail)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["result.txt"]
    if isinstance(fail, OSError):  # no fault of the user's input
        assert not isinstance(caught.value, InputError) and "cannot save" in str(caught.value) and "No space left" in str(caught.value)


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, message in (
        (tmp_path, "it is a folder"),
        (tmp_path / "file" / "x", "a folder on the way is a file"),
        (Path("/dev/null"), "not a regular file"),
    ):
        with pytest.raises(InputError, match=f"cannot save .*{message}"):
            write(path, "")
    assert Path("/dev/null").is_char_device()


def test_a_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o644
    with written_whole(tmp_path / "a" / "b" / "c.txt") as temporary:
        temporary.write_text("deep")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "deep"
