"""Real processes that run the command line, and real ends for them.

The parent has imported everything once; a forked child calls ``bertft.cli.app.main`` as the
installed command does, and dies by SIGKILL where it is told to.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVENTS = {
    "open",
    "os.chmod",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
    "shutil.rmtree",
}
"""Audit events of Python that concern files; fsync and write have none and are wrapped."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code (minus the signal's number), what it said."""

    code: int
    said: str

    @property
    def last_line(self) -> str:
        return (self.said.splitlines() or [""])[-1]


def run_command(
    *arguments: str,
    log: Path,
    before: Callable[[], None] | None = None,
    meanwhile: Callable[[int], None] | None = None,
) -> Ended:
    """``bertft ARGUMENTS`` in a child; ``before`` runs in it first, ``meanwhile`` in the parent."""
    child = os.fork()
    if child == 0:
        _be_command(arguments, log=log, before=before)
    if meanwhile is not None:
        meanwhile(child)
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), log.read_text(encoding="utf-8"))


def _be_command(
    arguments: tuple[str, ...], *, log: Path, before: Callable[[], None] | None
) -> None:
    """The child; never returns."""
    code = 70
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        from bertft.cli import app as cli

        sys.argv = ["bertft", *arguments]
        if before is not None:
            before()
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        for output in (sys.stdout, sys.stderr):
            output.flush()
        os._exit(code)


def dying_at(number: int, folder: Path, *, count: Path | None = None) -> Callable[[], None]:
    """Makes a child die at its ``number``-th call that concerns ``folder``, just before it.

    A write dies half-way. With ``count`` the number of all calls is written there in the end.
    """

    def install() -> None:
        calls = 0
        inside = str(folder)

        def tick() -> bool:
            nonlocal calls
            calls += 1
            if count is not None:
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, str(calls).encode(), 0)
            return calls == number

        def die() -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def hook(event: str, details: tuple[Any, ...]) -> None:
            # rmtree names what it removes relative to an open folder.
            relative = event in ("os.remove", "os.rmdir") and details[-1] != -1
            if event in EVENTS and (relative or str(details[0]).startswith(inside)) and tick():
                die()

        fsync, write = os.fsync, os.write

        def mortal_fsync(descriptor: int) -> None:
            if tick():
                die()
            fsync(descriptor)

        def mortal_write(descriptor: int, data: bytes) -> int:
            if tick():
                write(descriptor, data[: len(data) // 2])
                die()
            return write(descriptor, data)

        descriptor = -1
        if count is not None:
            descriptor = os.open(count, os.O_WRONLY | os.O_CREAT, 0o644)
        os.fsync, os.write = mortal_fsync, mortal_write
        sys.addaudithook(hook)

    return install


def killing_after(seconds: float, number: int = signal.SIGKILL, *, times: int = 1) -> Any:
    """Sends a signal to the child after some time, perhaps several times in a row."""

    def kill(child: int) -> None:
        time.sleep(seconds)
        for _ in range(times):
            os.kill(child, number)
            time.sleep(0.01)

    return kill


def limiting_files(size: int) -> Callable[[], None]:
    """Lets no file of the child grow beyond ``size`` bytes: writing more fails."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return limit
