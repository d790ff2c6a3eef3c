"""The dashboard server: pages as the store is now, for this machine only, and nothing else that a path could reach."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import designgym as dg
from designgym.core.errors import InputError, StoreError
from designgym.studies.dashboard_server import DashboardServer

ENV = "test/Counting-v0"
PROGRAM = Path(sys.executable).parent / "designgym"
NAMES = ("one", "One!", "<b>x", "index", "..")  # alike as file names, or no good ones


def add(store: Path, name: str, budget: int = 8) -> None:
    dg.Study(name, ENV, searchers="random", budget=budget).run(backend="local", store=store)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, counting_environment: object) -> Path:
    path = tmp_path_factory.mktemp("dashboard") / "s.db"
    for name in NAMES:
        add(path, name)
    return path


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[DashboardServer]:
    with DashboardServer(store, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server: DashboardServer, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    """Ask for a path as it stands: urllib and browsers would tidy it up."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, dict(answer.getheaders())


def test_the_list_leads_to_the_report_of_every_study(server: DashboardServer) -> None:
    status, index, headers = get(server, "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8" and headers["Cache-Control"] == "no-store"
    assert len(re.findall(r"Best: latency_ns = [\d.]+ ns\.<", index)) == len(NAMES)
    links = re.findall(r'href="([^"#]+)"', index)
    assert len(set(links)) == len(NAMES) and "<b>x" not in index
    for link in links[:2]:
        status, page, _ = get(server, f"/{link}")
        assert status == 200 and "designgym report" in page and "Best result so far" in page
    assert get(server, "/index.html?from=somewhere")[1].count("its report") == len(NAMES)
    status, nothing, headers = get(server, "/", method="HEAD")
    assert status == 200 and nothing == "" and int(headers["Content-Length"]) == len(index.encode())


def test_it_shows_what_came_since(server: DashboardServer, store: Path) -> None:
    assert "6 studies" not in get(server, "/")[1]
    add(store, "late", budget=8)
    _, before, _ = get(server, "/")
    assert "6 studies" in before and "8 trials" in before
    add(store, "late", budget=16)
    assert "1 of 1 runs finished, 16 trials" in get(server, "/")[1]
    with dg.studies.store.open_store(store) as opened:
        opened.remove("late")
    assert get(server, "/late.html")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/nope", "/one", "/one.html/", "/s.db", "/../s.db", "/..%2fs.db", "/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "/%00",
        "/favicon.ico",
    ],
)  # fmt: skip
def test_there_is_nothing_else(server: DashboardServer, path: str) -> None:
    status, text, headers = get(server, path)
    assert status == 404 and headers["Content-Type"].startswith("text/plain") and server.url in text and "SQLite" not in text


def test_it_reads_only(server: DashboardServer, store: Path) -> None:
    before = store.read_bytes()
    for method in ("POST", "PUT", "DELETE"):
        assert get(server, "/one.html", method=method)[0] == 501
    get(server, "/one.html")
    assert store.read_bytes() == before


def test_it_answers_to_this_machine_only(server: DashboardServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    for host in ("evil.example", "evil.example:8050", "127.0.0.1.evil.example", "[", ""):
        assert get(server, "/", Host=host)[0] == 421
    for host in ("localhost", "localhost:9999", "127.0.0.1", "LOCALHOST:1"):  # a tunnel may have another port
        assert get(server, "/", Host=host)[0] == 200


def test_a_store_that_vanishes_is_an_error_on_the_page(tmp_path: Path) -> None:
    add(tmp_path / "s.db", "one")
    with DashboardServer(tmp_path / "s.db", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for file in tmp_path.iterdir():
            file.unlink()
        status, text, _ = get(server, "/")
        assert status == 500 and "there is no store" in text
        server.shutdown()


def test_what_cannot_be_served_is_refused(tmp_path: Path, store: Path) -> None:
    for port in (-1, 65536, 80.5, True, "x"):
        with pytest.raises(InputError, match=r"port .* does not exist"):
            DashboardServer(store, port)  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(InputError, match=r"in use.*0 for any"):
        DashboardServer(store, other.getsockname()[1])
    with pytest.raises(StoreError, match="there is no store"):
        DashboardServer(tmp_path / "none.db", 0)


def test_ctrl_c_ends_the_program_with_exit_code_0(store: Path) -> None:
    process = subprocess.Popen(
        [PROGRAM, "dashboard", "--store", str(store), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores Ctrl-C for what it runs in the background
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found, said
        assert b"5 studies" in urllib.request.urlopen(found[0], timeout=60).read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{found[0]}nope", timeout=60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")
    finally:
        process.kill()


def test_misuse_is_one_clear_error_and_exit_code_2(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        for arguments, words in (
            (["--port", str(taken)], f"port {taken} of 127.0.0.1 cannot be used"), (["--port", "65536"], "65536"), (["--port", "-1"], "-1"),
            (["--port", "x"], "'x'"), (["--port", "1", "--to", "pages"], "give one of the two"),
        ):  # fmt: skip
            done = subprocess.run([PROGRAM, "dashboard", "--store", str(store), *arguments], capture_output=True, text=True, timeout=120)
            assert done.returncode == 2 and words in done.stderr and len(done.stderr.splitlines()) <= 3 and done.stdout == "", done
