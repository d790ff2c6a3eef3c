"""Runs a server until whoever started it is gone: a script of its own, which imports nothing of ours.

Its arguments are the server's command. Its standard input is a pipe that nobody writes to: the pipe's end says that the process
that started us has ended, however it did, and then the whole process group is ended, so that no server holds a GPU for nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE_S = 10.0


def end_with_pipe(server: subprocess.Popen[bytes]) -> None:
    """Wait for the pipe's end, then end the process group: asked first, killed after a while."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(GRACE_S)
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Return the server's exit code, the negative of a signal's number as 128 more than it."""
    try:
        server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{sys.argv[1]} cannot be started: {error.strerror or error}", file=sys.stderr)
        return 127
    watcher = threading.Thread(target=end_with_pipe, args=(server,), daemon=True)
    signal.signal(signal.SIGTERM, lambda *_: None)  # sent to the whole group: the server ends, and we after it
    watcher.start()
    code = server.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
