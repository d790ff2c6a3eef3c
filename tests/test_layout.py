"""The checkout itself: links, layers and words."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("envs", "hashing", "searchers", "simulators", "studies")


@pytest.mark.parametrize("folder", FOLDERS)
def test_package_folders_are_relative_links(folder: str) -> None:
    link = ROOT / "designgym" / folder
    assert link.is_symlink(), f"designgym/{folder} must be a symbolic link (git config core.symlinks true)"
    assert link.readlink() == Path("..") / folder
    assert (ROOT / folder / "__init__.py").is_file()


def _tracked_text_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the tracked files cannot be listed")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    suffixes = {".py", ".md", ".toml", ".txt", ".cff", ".yaml"}
    return [path for path in paths if path.is_file() and not path.is_symlink() and path.suffix in suffixes]


def test_no_machine_paths_or_registry_addresses_are_committed() -> None:
    forbidden = re.compile(r"(?<![\w.])/(?:work|root|home)/\w|index-url|/simple/")
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in _tracked_text_files()
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if forbidden.search(line)
    ]
    assert not hits, "\n".join(hits)


def test_source_files_stay_small() -> None:
    sources = [p for folder in (*FOLDERS, "designgym") for p in (ROOT / folder).rglob("*.py") if not any(q.is_symlink() for q in p.parents)]
    assert sources
    long = {str(p.relative_to(ROOT)): n for p in sources if (n := len(p.read_text().splitlines())) > 500}
    assert not long, f"files over 500 lines, each probably two things: {long}"
