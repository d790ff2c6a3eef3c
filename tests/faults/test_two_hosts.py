"""A study on two hosts: two Ray nodes, one of them under another host name and without the folder that holds the store."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("two_hosts_study.py")
OTHER = "othernode"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
APART = ["unshare", "--map-root-user", "--user", "--uts", "--mount"]

pytestmark = pytest.mark.slow


def can_unshare() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*APART, "true"], capture_output=True).returncode == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """Two nodes that end with the test; `ray stop` would end those of others too."""
    if not can_unshare():
        pytest.skip("a second host is made with Linux namespaces, which are not allowed here")
    address = f"127.0.0.1:{free_port()}"
    folder = tempfile.mkdtemp(prefix="dg-two-")  # pytest's path is too long for Ray's sockets
    ray = f"{Path(sys.executable).with_name('ray')} start --block --disable-usage-stats"
    head = f"{ray} --head --port={address.rpartition(':')[2]} --num-cpus=0 --include-dashboard=false --temp-dir={folder}"
    other = f"hostname {OTHER} && mount -t tmpfs none {tmp_path} && exec {ray} --address={address} --num-cpus=2"
    nodes = []
    try:
        for command, before in ((head, []), (other, APART)):
            nodes.append(
                subprocess.Popen(
                    [*before, "bash", "-c", command], cwd="/", env={**os.environ, **QUIET}, start_new_session=True,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
            wait_for(address, len(nodes))
        yield address
    finally:
        for node in reversed(nodes):
            node.send_signal(signal.SIGTERM)
            node.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(address: str, count: int) -> None:
    program = "import ray, sys; ray.init(address=sys.argv[1], logging_level='ERROR'); print(sum(n['Alive'] for n in ray.nodes()))"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=1).close()
            done = subprocess.run(
                [sys.executable, "-c", program, address], capture_output=True, text=True, timeout=60, env={**os.environ, **QUIET}
            )
            if done.stdout.strip() == str(count):
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise TimeoutError(f"{count} nodes were expected at {address}")


def test_runs_on_another_host_are_stored_here_and_are_the_same(cluster: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), cluster, "relative.db"], cwd=tmp_path, capture_output=True, text=True, timeout=200,
        env={**os.environ, **QUIET},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [OTHER]
    assert (tmp_path / "relative.db").exists()
