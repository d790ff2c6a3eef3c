"""The dashboard as a small web server for this machine only: each page is rendered from the store when it is asked for."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from designgym.core.errors import DesignGymError, InputError, UnknownNameError
from designgym.studies.dashboard import INDEX, render_page
from designgym.studies.store import open_store

HOST = "127.0.0.1"
LOCAL_NAMES = (HOST, "localhost")  # how a browser on this machine may call it, also through a tunnel from another port
DEFAULT_PORT = 8050
STALLED_S = 30.0  # after which a connection that sends nothing is closed

log = logging.getLogger("designgym.dashboard")


class DashboardServer(ThreadingHTTPServer):
    """Serves the pages of a store on the loopback interface; reads the store, never writes it.

    Args:
        store: The store, opened afresh for each page, so that pages show it as it is.
        port: TCP port from 0 to 65535; 0 takes any that is free.

    Raises:
        InputError: If the port is not one, is taken, or may not be used.
        StoreError: If there is no such store.
    """

    def __init__(self, store: str | os.PathLike[str] | None = None, port: int = DEFAULT_PORT) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
            raise InputError(f"port {port!r} does not exist: expected a whole number from 0 (any free port) to 65535")
        with open_store(store, create=False, read_only=True) as opened:
            self._store = opened.where
        self._rendering = Lock()  # pages take tenths of a second of computing, which threads would only share
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise InputError(
                f"port {port} of {HOST} cannot be used: {error.strerror or error}; choose another, or 0 for any that is free"
            ) from None

    @property
    def url(self) -> str:
        """Where the list of studies is."""
        return f"http://{HOST}:{self.server_port}/"

    def render(self, file: str) -> str | None:
        """Return a page as the store is now; None if there is no such page."""
        with self._rendering, open_store(self._store, create=False, read_only=True) as store:
            return render_page(store, file)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out the traceback when a browser hangs up in the middle of a page."""
        log.debug("the connection of %s ended early", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """Answers for pages by their names; names are looked up among the studies, never in a file system."""

    server: DashboardServer  # pyright: ignore[reportIncompatibleVariableOverride]  # made by that one only
    server_version, sys_version, timeout = "designgym", "", STALLED_S

    def do_GET(self) -> None:
        """Send a page."""
        self._answer()

    def do_HEAD(self) -> None:
        """Send what precedes a page."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep requests off the terminal."""
        log.debug(format, *args)

    def _answer(self) -> None:
        if not _is_local(self.headers.get("Host")):
            # a page elsewhere that has its own name resolve to this machine must not read the studies (DNS rebinding)
            self._send(HTTPStatus.MISDIRECTED_REQUEST, f"call this server by one of {', '.join(LOCAL_NAMES)}")
            return
        path = urlsplit(self.path).path
        try:
            content = self.server.render(unquote(path).removeprefix("/") or INDEX)
        except UnknownNameError:  # a study that was removed this moment
            content = None
        except DesignGymError as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
            return
        except Exception as error:
            log.exception("the page %s cannot be rendered", path)
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, f"the page cannot be rendered: {type(error).__name__}: {error}")
            return
        if content is None:
            self._send(HTTPStatus.NOT_FOUND, f"there is no page {path}: the list of studies is {self.server.url}")
        else:
            self._send(HTTPStatus.OK, content, "text/html")

    def _send(self, status: HTTPStatus, content: str, kind: str = "text/plain") -> None:
        body = content.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def serve_dashboard(store: str | os.PathLike[str] | None, port: int, ready: Callable[[str], None]) -> None:
    """Serve a store's pages until interrupted (Ctrl-C); ``ready`` receives the address once it can be called."""
    with DashboardServer(store, port) as server:
        ready(server.url)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _is_local(host: str | None) -> bool:
    try:
        return host is None or urlsplit(f"//{host}").hostname in LOCAL_NAMES
    except ValueError:
        return False
