"""Ray for the time of a sweep: quiet, private, and gone afterwards if it was not there before."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from designgym.core.errors import DesignGymError
from designgym.studies.processes import process_exists

SOCKET_PATH_LIMIT = 107  # bytes in the path of a Unix socket
SESSION_PATH = 96  # of them are taken by our folder and what Ray makes in it
KNOCK_S = 5.0  # longest wait for a cluster's address to answer
PLUGINS = "designgym.studies.plugins."


@contextmanager
def ray_session(address: str | None, workers: int | None) -> Iterator[Path | None]:
    """Use the Ray that runs, join the cluster at ``address``, or start one on this machine; yields the folder of our own, else None.

    Only what was started here is shut down, its folder removed with it.

    Raises:
        DesignGymError: If there is no cluster at ``address``.
    """
    quiet = {
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1", "RAY_AIR_NEW_OUTPUT": "0", "RAY_DEDUP_LOGS": "1",
    }  # fmt: skip
    with _environment(quiet | {"PYTHONPATH": search_path()}), _level("ray.tune", logging.ERROR):
        import ray

        if ray.is_initialized():
            yield None
            return
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
        if address is not None:
            try:
                _knock(address)
            except OSError as error:
                raise DesignGymError(
                    f"no Ray cluster answers at address {address!r} ({error.strerror or error}): "
                    "start one with `ray start --head`, or leave address out"
                ) from None
            try:
                ray.init(address=address, **options)
            except (OSError, ValueError, RuntimeError) as error:  # ConnectionError and TimeoutError are OSErrors
                raise DesignGymError(
                    f"cannot join the Ray cluster at address {address!r} ({str(error).splitlines()[0]}): check that it runs "
                    "(`ray status`); if it asks for its authentication token, set RAY_AUTH_MODE=token, without which Ray gives none to an "
                    "address (and RAY_AUTH_TOKEN_PATH unless it is in ~/.ray/auth_token); or leave address out"
                ) from None
            try:
                yield None
            finally:
                ray.shutdown()
            return
        folder = _private_folder()
        cores = max(os.cpu_count() or 1, workers or 1)
        try:
            ray.init(num_cpus=cores, include_dashboard=False, _temp_dir=str(folder / "ray"), **options)
            yield folder
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def _knock(address: str) -> None:
    """Raise `OSError` at once where nothing answers: Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and not host.endswith("//") and "://" not in host:
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()


def is_one_host() -> bool:
    """Return whether all nodes of the cluster are on this host."""
    import ray

    return all(node["NodeManagerHostname"] == socket.gethostname() for node in ray.nodes() if node["Alive"])


def node_here() -> str | None:
    """Return the id of a node of the cluster on this host; None if there is none, as for a driver that joined by Ray's client."""
    import ray

    here = (node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeManagerHostname"] == socket.gethostname())
    return next(here, None)


@contextmanager
def pickled_by_value(objects: Iterable[Any], *, own: bool) -> Iterator[None]:
    """Let objects of the user's own modules travel to workers that cannot import these.

    Workers of our own Ray import what this process imports, plugins included. Workers of another Ray get code by value,
    unless it is installed software.
    """
    from ray import cloudpickle

    modules = {module for item in objects if (module := sys.modules.get(_module_of(item))) is not None}
    shipped = [module for module in modules if not own and _is_users(module)]
    for module in shipped:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in shipped:
            cloudpickle.unregister_pickle_by_value(module)


def _is_users(module: ModuleType) -> bool:
    name, file = module.__name__, getattr(module, "__file__", None)
    if name.startswith(PLUGINS):
        return True
    if name == "__main__" or name.partition(".")[0] == "designgym" or file is None:
        return False  # __main__ is pickled by value anyway
    installed = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    return not any(Path(file).resolve().is_relative_to(Path(folder).resolve()) for folder in installed)


def _module_of(item: Any) -> str:
    function = getattr(item, "_function", item)  # of a function simulator
    return str(getattr(function, "__module__", None) or type(function).__module__)


def search_path() -> str:
    """Return where this process finds modules, for workers."""
    return os.pathsep.join(dict.fromkeys(os.path.abspath(folder) for folder in sys.path))


def _private_folder() -> Path:
    """Return a new folder that nobody else may enter (Ray opens its own to everybody); those of processes that were killed go."""
    parent = Path(tempfile.gettempdir())
    if len(os.fsencode(parent)) > SOCKET_PATH_LIMIT - SESSION_PATH:
        parent = Path("/tmp")
    for old in parent.glob("dg-*-ray-*"):
        pid = old.name.split("-")[1]
        with contextlib.suppress(OSError):  # another process may be removing it too
            if pid.isdigit() and not process_exists(int(pid)) and old.lstat().st_uid == os.getuid():
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"dg-{os.getpid()}-ray-", dir=parent))


@contextmanager
def _level(name: str, level: int) -> Iterator[None]:
    """Set the level of a logger for a while: Tune warns that it finds no log files, which we switched off."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
