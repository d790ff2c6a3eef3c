"""Inside of the sandbox: gives up what the program must not have, then runs it. A script that `sandbox` starts; nothing imports it.

It needs a Python of at least version 3.11 and its standard library, nothing else, and says on standard output (which the program does not
get) first what guards it, then how the program ended.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
import types

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the time to import it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SPARE_BYTES = 32 << 20  # of memory, to say that there is none left
LONGEST = 300  # characters of what went wrong
FILE_BYTES, FILES = 16 << 20, 64  # of a file; files open at once

# of Linux, the same on all machines: include/uapi/asm-generic/unistd.h, include/uapi/linux/landlock.h, include/uapi/linux/prctl.h
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
NO_NEW_PRIVILEGES = 38
READ_FILE, READ_FOLDER, WRITE_FILE = 1 << 2, 1 << 3, 1 << 1
EXECUTE = 1 << 0

REFUSED = {
    "os.fork", "os.forkpty", "os.exec", "os.spawn", "os.posix_spawn", "os.system", "subprocess.Popen", "pty.spawn", "ctypes.dlopen",
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "socket.getnameinfo", "os.kill", "os.killpg", "signal.pthread_kill",
}  # fmt: skip
"""Events of Python's interpreter that end with an error: other programs and processes, sockets."""
CHANGES = {
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.chown", "os.truncate", "os.utime",
    "os.mkfifo", "os.mknod", "os.chflags", "os.setxattr", "os.removexattr",
}  # fmt: skip
"""Events that change the file they name."""
UNIX_SOCKETS = 1  # of socket.AF_UNIX, which an event loop talks to itself by


def main() -> None:
    """Read what to do from standard input: a line with token, bytes of memory and seconds of processor, then the program."""
    token, memory, seconds = sys.stdin.buffer.readline().decode().split()
    code = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    folder = os.path.realpath(os.getcwd())
    report = os.dup(1)  # not inherited by other programs
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    guards = ["limits", "audit"]
    if shut_files(folder):
        guards.append("landlock")
    limit(int(memory), int(seconds))
    sys.addaudithook(watch(folder))
    os.write(report, (" ".join(guards) + "\n").encode())
    error = run(code)
    lower("RLIMIT_AS", int(memory) + SPARE_BYTES, int(memory) + SPARE_BYTES)
    os.write(report, f"{token}{' '.join(error.split())[:LONGEST]}\n".encode("utf-8", "replace"))
    os._exit(0)  # without what the program left for the end of the interpreter


def run(code: str) -> str:
    """Run a program; return what went wrong, or nothing."""
    module = types.ModuleType("program")  # not __main__: an example at the end of an answer is not what is asked for
    sys.modules["program"] = module
    try:
        exec(compile(code, "<program>", "exec"), module.__dict__)
    except MemoryError:
        return "out of memory"
    except SystemExit as error:
        return f"ended early by SystemExit: {error.code!r}"
    except BaseException as error:
        return told(error, code)
    return ""


def told(error: BaseException, code: str) -> str:
    """Return an error with the last line of the program that it passed."""
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<program>":
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        said = str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:
        said = ""
    lines = code.splitlines()
    where = f" (line {line}: {lines[line - 1].strip()})" if isinstance(line, int) and 0 < line <= len(lines) else ""
    return type(error).__name__ + (f": {said[:LONGEST]}" if said else "") + where


def limit(memory: int, seconds: int) -> None:
    """Limit what the process and its children may take, each; limits that are lower already stay."""
    most = {"RLIMIT_CPU": seconds, "RLIMIT_FSIZE": FILE_BYTES, "RLIMIT_NOFILE": FILES, "RLIMIT_CORE": 0, "RLIMIT_MSGQUEUE": 0}
    for name, value in most.items():
        lower(name, value, value)
    lower("RLIMIT_AS", memory, memory + SPARE_BYTES)


def lower(name: str, soft: int, hard: int) -> None:
    """Lower a limit, where the system has it and lets it be lowered (macOS does not limit the address space)."""
    if not hasattr(resource, name):
        return
    kind = getattr(resource, name)
    now = resource.getrlimit(kind)[1]
    if now != resource.RLIM_INFINITY:
        soft, hard = min(soft, now), min(hard, now)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (ValueError, OSError):
        return


def watch(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """Return a hook that refuses events of the interpreter: sockets, other programs, and changes of files outside of a folder."""
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    realpath, fsdecode, sep = os.path.realpath, os.fsdecode, os.sep

    def outside(path: object) -> bool:
        if not isinstance(path, str | bytes):
            return False  # a file that is open already
        real = realpath(fsdecode(path))
        return real != folder and not real.startswith(folder + sep) and real != os.devnull

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & writing and outside(path):
                raise PermissionError(f"the sandbox has no writing outside of its folder: {path!r}")
        elif event in REFUSED or (event == "socket.__new__" and arguments[1] != UNIX_SOCKETS):
            raise PermissionError(f"the sandbox has no {event}")
        elif event in CHANGES and any(map(outside, arguments)):
            raise PermissionError(f"the sandbox has no {event} outside of its folder")

    return hook


def shut_files(folder: str) -> bool:
    """Leave nothing of the file system but the folder, and to read the interpreter with its libraries; no program can be started.

    Returns:
        Whether the kernel does this (Landlock: Linux from 5.13, where it is switched on). It also refuses TCP from 6.7, and signals and
        abstract sockets to other processes from 6.12.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    every = (1 << 13) - 1 | (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    handled = struct.pack("=Q", every)
    if version >= 4:
        handled += struct.pack("=Q", 3)  # bind and connect
    if version >= 6:
        handled += struct.pack("=Q", 3)  # abstract sockets and signals
    ruleset = libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    read = READ_FILE | READ_FOLDER
    interpreter = {sys.base_prefix, sys.base_exec_prefix, os.path.dirname(os.__file__)}
    libraries = {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"}
    allowed = {**dict.fromkeys(interpreter | libraries, read), folder: every & ~EXECUTE}
    allowed |= {"/etc/ld.so.cache": READ_FILE, "/dev/urandom": READ_FILE, os.devnull: READ_FILE | WRITE_FILE}
    for path, access in allowed.items():
        try:
            opened = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
        except OSError:
            continue
        rule = struct.pack("=Qi", access, opened)
        libc.syscall(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        os.close(opened)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    shut = libc.syscall(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0
    os.close(ruleset)
    return bool(shut)


if __name__ == "__main__":
    main()
