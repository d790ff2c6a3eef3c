"""The commands search, run, studies, show and export: output, exit codes, one clear error for what cannot be."""

import json
import re
import textwrap
from pathlib import Path

import pytest

import designgym as dg

PLUGIN = ["--plugin", str(Path(__file__).parent / "counting_env.py")]
ENV = "test/Counting-v0"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        from designgym.studies.cli import main  # noqa: F401
        from designgym.studies.cli.app import app

        with pytest.raises(SystemExit) as ended:
            app([*PLUGIN, *map(str, arguments)])
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return call


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "study.py"
    path.write_text(
        textwrap.dedent(
            f"""
            import designgym as dg
            quick = dg.Study("quick", env={ENV!r}, searchers=["random", "evolution"], budget=24, seeds=2)
            other = dg.Study("other", env={ENV!r}, objective="both", searchers="random", budget=16)
            """
        )
    )
    return path


def test_search_prints_json_that_a_second_search_repeats(cli) -> None:  # type: ignore[no-untyped-def]
    arguments = ["search", ENV, "--searcher", "evolution", "--budget", "30", "--seed", "5", "--workload", "pi", "--json"]
    arguments += ["--option", "population=10"]
    first, second = cli(*arguments), cli(*arguments)
    assert first[0] == 0, first
    a, b = json.loads(first[1]), json.loads(second[1])
    drop = ("cost_s",)
    assert [{k: v for k, v in t.items() if k not in drop} for t in a["trials"]] == [
        {k: v for k, v in t.items() if k not in drop} for t in b["trials"]
    ]
    assert a["evaluations"] == 30 and a["options"] == {"population": 10} and a["workload"] == "pi" and a["units"]["latency_ns"] == "ns"
    scores = [trial["score"] for trial in a["trials"] if trial["feasible"]]
    assert a["best"]["score"] == max(scores) and a["best"]["feasible"]
    assert json.loads(cli(*(("6" if argument == "5" else argument) for argument in arguments))[1])["trials"] != a["trials"]


def test_the_dashboard_leads_to_the_report_of_every_study(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    names = ["one", "One!", "<b>x", "index"]  # alike as file names, or no good ones
    for name in names:
        dg.Study(name, ENV, searchers="random", budget=8).run(backend="local", store=tmp_path / "s.db")
    code, out, _ = cli("dashboard", "--store", tmp_path / "s.db", "--to", tmp_path / "pages")
    assert code == 0 and "index.html" in out
    index = (tmp_path / "pages" / "index.html").read_text()
    links = re.findall(r'href="([^"#]+)"', index)
    assert len(set(links)) == len(names) and "<b>x" not in index
    for link in links:
        assert "designgym report" in (tmp_path / "pages" / link).read_text()
    assert cli("dashboard", "--store", tmp_path / "none.db")[0] == 1
    (tmp_path / "file").write_text("")
    assert cli("dashboard", "--store", tmp_path / "s.db", "--to", tmp_path / "file")[0] == 2


def test_search_without_a_store_keeps_nothing_and_with_one_goes_on(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    code, out, _ = cli("search", ENV, "--budget", "12")
    assert code == 0 and "best designs" in out and "mm^2" in out and "bit" in out and not list(tmp_path.iterdir())
    assert cli("search", ENV, "--budget", "12", "--store", "s.db", "--name", "mine")[0] == 0
    code, out, err = cli("search", ENV, "--budget", "20", "--store", "s.db", "--name", "mine", "--json")
    assert code == 0 and json.loads(out)["evaluations"] == 20, err
    assert json.loads(cli("studies", "--store", "s.db", "--json")[1])[0]["trials"] == 20


def test_run_studies_show_export(cli, study_file: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    store = tmp_path / "results" / "s.db"
    code, out, err = cli("run", study_file, "--store", store, "--local")
    assert code == 0, err
    assert "random-s0" in out and "designs on the Pareto front" in out and "quick: 4 runs, 24 evaluations each" in err
    code, out, _ = cli("studies", "--store", store)
    assert code == 0 and "quick" in out and "other" in out and "96" in out
    code, out, _ = cli("show", "quick", "--store", store, "--best", "3")
    assert code == 0 and "budget of 24 evaluations spent" in out and "latency_ns" in out
    shown = json.loads(cli("show", "other", "--store", store, "--json")[1])
    assert shown["finished"] and len(shown["runs"]) == 1 and shown["runs"][0]["hypervolume"] > 0
    code, _, err = cli(
        "export", "quick", "--store", store, "--to", tmp_path / "o.parquet", "--to", tmp_path / "o.csv",
        "--to-optuna", f"sqlite:///{tmp_path / 'o.db'}",
    )  # fmt: skip
    assert code == 0 and "96 trials" in err and (tmp_path / "o.parquet").is_file() and (tmp_path / "o.csv").is_file()
    code, out, err = cli("run", study_file, "--store", store, "--local", "--study", "quick")
    assert code == 0 and "Pareto" not in out


MISTAKES = """
import designgym as dg

print("loading")

@dg.simulator(space=dg.DesignSpace(a=dg.Integer(1, 9)), metrics=["x_ns"], version="1")
def mistakes(design, workload, *, seed):
    print("measuring")
    if workload == "all" or design["a"] == 3:
        raise RuntimeError("three\\nlines\\nlong")
    return dg.Metrics.infeasible(["too big"]) if design["a"] == 5 else {"x_ns": design["a"]}

dg.register("test/Mistakes-v0", mistakes, workloads={"some": "some", "all": "all"}, objective=dg.minimize("x_ns"))
"""


def test_what_went_wrong_is_shown_and_only_results_go_to_standard_output(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    arguments = ["search", "test/Mistakes-v0", "--searcher", "grid", "--budget", "9", "--plugin", tmp_path / "mistakes.py"]
    code, out, err = cli(*arguments)
    assert code == 0 and "failed       1 of 9 trials, the first: RuntimeError: three lines long" in out
    assert "infeasible   1 of 9 trials, the first: too big" in out and "loading" in err and "measuring" in err and "measuring" not in out
    trials = {trial["design"]["a"]: trial for trial in json.loads(cli(*arguments, "--json")[1])["trials"]}
    assert trials[3]["error"].startswith("RuntimeError: three") and trials[5]["reasons"] == ["too big"] and "error" not in trials[1]
    code, out, _ = cli(*arguments, "--workload", "all")
    assert code == 1 and "failed       9 of 9 trials" in out and "no design has a result" in out
    (tmp_path / "designs.json").write_text('[{"a": 1}, {"a": 2}]')
    for command in ("evaluate", "hash"):
        more = ["--jsonl"] if command == "evaluate" else []
        _, out, _ = cli(command, "test/Mistakes-v0", "--designs", tmp_path / "designs.json", *more, *arguments[-2:])
        assert len([json.loads(line) for line in out.splitlines()]) == 2


@pytest.mark.parametrize(
    ("arguments", "expected", "code"),
    [
        (["search", "test/Countin-v0"], "did you mean 'test/Counting-v0'", 2),
        (["search", ENV, "--searcher", "evolutoin"], "did you mean", 2),
        (["search", ENV, "--workload", "on"], "did you mean 'one'", 2),
        (["search", ENV, "--objective", "nope"], "unknown objective", 2),
        (["search", ENV, "--budget", "0"], "budget must be", 2),
        (["search", ENV, "--budget", "many"], "budget", 2),
        (["search", ENV, "--seed", "-1"], "seeds", 2),
        (["search", ENV, "--option", "populatoin=3", "--searcher", "evolution"], "populat", 2),
        (["search", ENV, "--option", "population", "--searcher", "evolution"], "key=value", 2),
        (["search", ENV, "--env-option", "speed=3"], "unknown option", 2),
        (["search", ENV, "--functional", "perhaps"], "'auto', 'on' or 'off'", 2),
        (["run", "no_such_study.py"], "no_such_study.py", 2),
        (["studies", "--store", "no.db"], "there is no store", 1),
        (["show", "x", "--store", "no.db"], "there is no store", 1),
        (["export", "x", "--store", "no.db"], "say where to", 2),
        (["export", "x", "--store", "no.db", "--to", "a.xlsx"], "unknown export format", 2),
        (["studies", "--store", "mysql://h/db"], "neither a file nor a PostgreSQL URL", 2),
    ],
)
def test_bad_input_is_one_clear_error(cli, arguments: list[str], expected: str, code: int, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    got, out, err = cli(*arguments)
    assert got == code and expected in err and 1 <= len(err.strip().splitlines()) <= 3 and "Traceback" not in err, err
    assert not out and not list(tmp_path.iterdir())


def test_a_study_file_without_a_study_and_an_unknown_one(cli, study_file: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "none.py").write_text("x = 1\n")
    code, _, err = cli("run", tmp_path / "none.py", "--local")
    assert code == 2 and "defines no study" in err
    code, _, err = cli("run", study_file, "--study", "quik", "--local")
    assert code == 2 and "did you mean 'quick'" in err


def test_another_definition_is_refused_and_fresh_replaces(cli, study_file: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    store = tmp_path / "s.db"
    assert cli("search", ENV, "--budget", "8", "--store", store, "--name", "quick", "--workload", "pi")[0] == 0
    code, _, err = cli("run", study_file, "--store", store, "--local", "--study", "quick")
    assert code == 2 and "another definition" in err and "--fresh" in err
    assert cli("run", study_file, "--store", store, "--local", "--study", "quick", "--fresh")[0] == 0
