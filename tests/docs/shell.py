"""A shell for the commands of the documentation: a script in, its exit code and output out.

`bertft` on its PATH is a program of a few lines that hands the command to `server.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

SERVER = Path(__file__).with_name("server.py")
PROGRAM = """#!{python} -IS
import array, json, os, socket, sys
asked = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
connection = socket.socket(socket.AF_UNIX)
connection.connect({socket!r})
streams = array.array("i", [0, 1, 2])
kind = socket.SCM_RIGHTS
connection.sendmsg([json.dumps(asked).encode()], [(socket.SOL_SOCKET, kind, streams)])
code = connection.recv(1)
sys.exit(code[0] if code else "bertft was killed: it takes too long, or has crashed")
"""


@dataclass(frozen=True)
class Done:
    """What a script came to: its exit code, and all that it printed."""

    code: int
    output: str


@dataclass
class Shell:
    """Runs scripts; `environment` is what the server and all commands are given."""

    folder: Path
    environment: dict[str, str]
    server: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        path = os.pathsep.join([str(self.folder), str(Path(sys.executable).parent)])
        self.environment = {**self.environment, "PATH": f"{path}:{os.environ['PATH']}"}
        address = str(self.folder / "socket")
        program = self.folder / "bertft"
        program.write_text(PROGRAM.format(python=sys.executable, socket=address))
        program.chmod(0o755)
        command = [sys.executable, str(SERVER), address]
        self.server = subprocess.Popen(command, env=self.environment)
        while not Path(address).exists():
            assert self.server.poll() is None, "the server of the documentation's shell has died"
            time.sleep(0.1)

    def run(self, script: str, *, folder: Path, stand_in: Path | None = None) -> Done:
        """Run a script as bash does; with a stand-in for encoders, trainings are cut down."""
        environment = self.environment | ({"DOCS_SHORT": str(stand_in)} if stand_in else {})
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode())

    def close(self) -> None:
        self.server.terminate()
        self.server.wait()
