"""``designgym demo`` and ``designgym report``, as users call them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = "import sys; from designgym.studies.cli import main; sys.argv[0] = 'designgym'; main()"


def designgym(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program in another process and folder, without the user's store."""
    clean = {name: value for name, value in os.environ.items() if name != "DESIGNGYM_STORE"}
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the demo is run."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what a small demo printed."""
    return designgym("demo", "--html", "demo.html", "--budget", "12", "--seeds", "2", cwd=folder)


def test_demo_prints_two_tables_and_writes_a_report(shown: subprocess.CompletedProcess[str], folder: Path) -> None:
    done = shown
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("After one seed of each searcher") < done.stdout.index("After 8 runs")
    for searcher in ("random", "genetic", "regularized_evolution", "tpe"):
        assert re.search(rf"^{searcher} .*nJ·s .*µJ .*µs ", done.stdout, re.MULTILINE), done.stdout
    assert "best design: PagePolicy = " in done.stdout
    assert str(folder / "demo.html") in done.stdout
    assert "designgym run" in done.stdout and "designgym search" in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["demo.html"]  # nothing else is left behind
    assert "The best design reaches" in (folder / "demo.html").read_text()


def test_demo_is_repeatable_and_imports_neither_ray_nor_torch(shown: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from designgym.studies.demo import run_demo\n"
        "table, _ = run_demo(html=Path('d.html'), budget=12, seeds=2)\n"
        "print('best design: ' + table.best_design)\n"
        "print(sorted({'ray', 'torch', 'botorch', 'dash'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    best, modules = done.stdout.splitlines()[-2:]
    assert best in shown.stdout.splitlines(), done.stderr
    assert modules == "[]"


@pytest.mark.parametrize(
    ("code", "arguments", "words"),
    [
        (2, ("demo", "--budget", "0"), "--budget"),
        (2, ("demo", "--html", "."), "is a folder"),
        (1, ("report", "nothing", "--html", "x.html", "--store", "none.db"), "none.db"),
        (2, ("report", "x"), "--html"),
    ],
)
def test_bad_input_is_one_clear_error(code: int, arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    done = designgym(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.html"))


def test_report_of_a_stored_study(tmp_path: Path) -> None:
    code = (
        "import designgym as dg\n"
        "study = dg.Study('stored', env='designgym/DramController-v0', workload='stream-like', budget=6, store='s.db')\n"
        "study.run(backend='local')"
    )
    made = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert made.returncode == 0, made.stderr
    done = designgym("report", "stored", "--html", "out/stored.html", "--store", "s.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "report of 6 trials" in done.stdout
    text = (tmp_path / "out" / "stored.html").read_text()
    assert "designgym run stored.py" in text  # how to repeat it
    unknown = designgym("report", "storde", "--html", "x.html", "--store", "s.db", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "'stored'" in unknown.stderr
