"""Stores that cannot be used: one line each that says what is wrong and what to do, and nothing is lost or changed."""

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from designgym.core.errors import InputError, StoreError, UnknownNameError
from designgym.studies.store import Store, open_store
from designgym.studies.study import Study


def small_study(name: str = "small", budget: int = 16) -> Study:
    return Study(name, "test/Counting-v0", searchers="random", budget=budget)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "filled.db"
    small_study().run(backend="local", store=path)
    return path


def refused(place: object, expected: str, **options: bool) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(place, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert re.search(expected, message), message
    assert "\n" not in message and "Traceback" not in message


def test_a_text_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my precious notes, longer than sixteen bytes")
    refused(path, "not a designgym store.*left as it is.*--store")
    assert path.read_text().startswith("my precious")


def test_an_empty_file_is_a_store_only_to_be(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    refused(path, "is empty", create=False)
    with open_store(path) as store:
        assert store.studies() == []


def test_a_directory(tmp_path: Path) -> None:
    refused(tmp_path, r"is a directory; name a file in it")


def test_a_store_that_does_not_exist_is_not_made_by_reading(tmp_path: Path) -> None:
    refused(tmp_path / "no.db", "there is no store", create=False)
    refused(tmp_path / "no.db", "there is no store", read_only=True)
    assert not (tmp_path / "no.db").exists()


@pytest.mark.parametrize("table", ["studies", "something"])
def test_another_programs_database(tmp_path: Path, table: str) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE {table} (id INTEGER, name TEXT)")
    before = path.read_bytes()
    refused(path, "not a designgym store")
    assert path.read_bytes() == before


def test_an_optuna_database(tmp_path: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(storage=f"sqlite:///{tmp_path / 'optuna.db'}")
    refused(tmp_path / "optuna.db", "not a designgym store")


def test_a_newer_schema(filled: Path) -> None:
    with sqlite3.connect(filled) as connection:
        connection.execute("UPDATE designgym_meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    refused(filled, "newer designgym.*schema 99.*upgrade")
    refused(filled, "newer designgym", read_only=True)


def test_a_damaged_database(filled: Path) -> None:
    with sqlite3.connect(filled) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(filled.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    filled.write_bytes(data)
    with pytest.raises(StoreError, match=r"damaged|malformed"), open_store(filled) as store:
        store.studies()
        store.trial_rows("small")


def test_damaged_json_is_named(filled: Path) -> None:
    with sqlite3.connect(filled) as connection:
        connection.execute("UPDATE trials SET design = '{broken' WHERE number = 3")
    connection.close()
    with open_store(filled) as store, pytest.raises(StoreError, match=r"damaged.*design.*not JSON"):
        small_study(budget=24).run(backend="local", store=store.where)


def test_only_going_on_reads_a_searchers_state(filled: Path) -> None:
    with sqlite3.connect(filled) as connection:
        connection.execute("UPDATE runs SET checkpoint = '{broken'")
    connection.close()
    with open_store(filled) as store:
        assert len(small_study().result(store.where).best()) == 1
        with pytest.raises(StoreError, match=r"damaged.*not JSON"):
            small_study(budget=24).run(backend="local", store=store.where)


def test_nothing_in_a_store_is_executed(filled: Path) -> None:
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("touch exploded",)

    with sqlite3.connect(filled) as connection:
        connection.execute("UPDATE runs SET checkpoint = ?", (pickle.dumps(Bomb()).decode("latin1"),))
        connection.execute("UPDATE studies SET definition = json_set(definition, '$.objective.terms[0][0]', '__import__(\"os\").getcwd()')")
    connection.close()
    with pytest.raises((StoreError, InputError)):
        small_study(budget=24).run(backend="local", store=filled)
    with open_store(filled) as store, pytest.raises((StoreError, InputError)):
        from designgym.studies.results import StudyResult

        StudyResult.load(store, "small").best()
    assert not Path("exploded").exists()


def test_a_full_disk_loses_nothing_and_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "full.db"
    study, whole = small_study(budget=320), small_study(budget=320).run(backend="local", store=":memory:")
    limit = 24

    def limited(store: Store) -> None:  # SQLite's own "database or disk is full", as a full disk gives it
        from sqlalchemy import event

        @event.listens_for(store._engine, "connect")
        def cap(connection: sqlite3.Connection, _: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {limit}")

        store._engine.dispose()

    original = Store.__init__

    def opened(self: Store, *arguments: object) -> None:
        original(self, *arguments)  # type: ignore[arg-type]
        limited(self)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "__init__", opened)
        with pytest.raises(StoreError, match=r"the disk is full; what was stored before is safe.*goes on"):
            study.run(backend="local", store=path)
    with open_store(path, read_only=True) as store:
        stored = len(store.trial_rows("small"))
    assert 0 < stored < 320
    result = study.run(backend="local", store=path)
    columns = ["run", "number", "score", "key_canonical", "duplicate"]
    assert result.frame[columns].equals(whole.frame[columns])


def test_a_file_size_limit_reads_like_a_full_disk(tmp_path: Path) -> None:
    program = f"""
        import resource, signal, sys
        from designgym.studies.plugins import load_plugin
        from designgym.studies.study import Study
        from designgym.core.errors import StoreError
        load_plugin({str(Path(__file__).parent / "counting_env.py")!r})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
        try:
            Study("small", "test/Counting-v0", budget=400).run(backend="local", store={str(tmp_path / "big.db")!r})
        except StoreError as error:
            print(error)
    """
    out = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60)
    assert "full" in out.stdout and out.stdout.count("\n") == 1, out
    with open_store(tmp_path / "big.db", read_only=True) as store:
        assert store.studies()[0]["trials"] > 0


def test_a_locked_store(filled: Path) -> None:
    other = sqlite3.connect(filled)
    other.execute("BEGIN IMMEDIATE")
    try:
        with open_store(filled, timeout_s=0.2) as store, pytest.raises(StoreError, match="another process has kept it locked"):
            store.save_definition("x", {})
    finally:
        other.rollback()
        other.close()


def test_readers_do_not_wait_for_a_writer(filled: Path) -> None:
    other = sqlite3.connect(filled)
    other.execute("BEGIN IMMEDIATE")
    try:
        with open_store(filled, read_only=True, timeout_s=0.2) as store:
            assert store.studies()[0]["trials"] == 16
    finally:
        other.rollback()
        other.close()


def test_a_read_only_folder_as_another_user(filled: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root; as a user, chmod would do")
    program = f"""
        import os
        from designgym.core.errors import StoreError
        from designgym.studies.store import open_store
        os.setgid(65534); os.setuid(65534)
        for path in ({str(filled)!r}, {str(filled.parent / "new.db")!r}):
            try:
                open_store(path)
            except StoreError as error:
                print(error)
        print(open_store({str(filled)!r}, read_only=True).studies()[0]["trials"], "readable")
    """
    for folder in filled.parents:
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    filled.chmod(0o644)
    out = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60)
    if "ModuleNotFoundError: No module named 'designgym" in out.stderr:
        pytest.skip("the checkout is in a folder that other users may not enter")
    lines = out.stdout.splitlines()
    assert len(lines) == 3, out
    assert "read-only; make the file and its folder" in lines[0] and "cannot be made" in lines[1] and lines[2] == "16 readable"


def test_a_place_where_no_file_can_be_made() -> None:
    with pytest.raises(StoreError, match=r"/proc/self/fd"):
        open_store("/proc/self/fd/store.db")


def test_an_unknown_study_is_named_with_those_that_exist(filled: Path) -> None:
    with open_store(filled, read_only=True) as store, pytest.raises(UnknownNameError, match=r"'smal'.*did you mean 'small'"):
        store.definition("smal")


@pytest.mark.parametrize("url", ["mysql://u@h/db", "nonsense://x", "postgres-ql://", "postgresql://u:secret@h:port/db", "://u:secret@h"])
def test_urls_that_are_no_store(url: str) -> None:
    with pytest.raises(InputError, match="neither a file nor a PostgreSQL URL") as caught:
        open_store(url)
    assert "secret" not in str(caught.value) and str(caught.value).count("neither") == 1


def test_a_store_can_be_found_again_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for where in ("one.db", "sqlite:///two.db", Path("three.db")):
        with open_store(where) as store:
            assert store.where == str(tmp_path / Path(store.shown).name)


def test_a_run_has_one_writer(filled: Path) -> None:
    """Another process that lives and writes is waited for, then reported; a dead one is replaced."""
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        time.sleep(0.1)
        from designgym.studies import processes

        owner = f"{processes.new_owner().split('|')[0]}|{sleeper.pid}|{processes._start(sleeper.pid)}|t"
        with open_store(filled) as store, store._writing() as connection:
            from designgym.studies.store_schema import runs

            connection.execute(runs.update(), {"owner": owner, "heartbeat_s": time.time()})
        with open_store(filled) as store:
            with pytest.raises(StoreError, match=f"being run by process {sleeper.pid}"):
                store.claim("small", "random-s0", processes.new_owner(), patience_s=0.3)
            with pytest.raises(StoreError, match="stop that one first"):
                store.remove("small")
            sleeper.kill()
            sleeper.wait()
            store.claim("small", "random-s0", processes.new_owner(), patience_s=0.3)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_who_lost_a_run_cannot_append(filled: Path) -> None:
    from designgym.studies.processes import new_owner

    with open_store(filled) as store:
        old, new = new_owner(), new_owner()
        run = store.claim("small", "random-s0", old)
        store.claim("small", "random-s0", new)
        with pytest.raises(StoreError, match="taken up by another process"):
            store.append(run.id, old, [], progress={}, checkpoint=None)
        store.append(run.id, new, [], progress={}, checkpoint=None)


def test_an_interrupt_during_a_statement_loses_nothing_of_a_store_in_memory() -> None:
    with open_store(":memory:") as store:
        store.save_definition("s", {"name": "s"})

        @event.listens_for(store._engine, "do_execute")
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.studies()
        event.remove(store._engine, "do_execute", interrupt)
        assert [study["name"] for study in store.studies()] == ["s"]
