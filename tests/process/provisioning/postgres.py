"""A PostgreSQL server of the tests' own: its folder, its port, its password."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "correct-horse"
_START_SECONDS = 60


class PostgresServer:
    """May be stopped and started again; it keeps its port and what it stores."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._programs = _programs()
        self._user = _server_user(place)
        self._server: subprocess.Popen[bytes] | None = None
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = int(taken.getsockname()[1])
        password = place / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        initdb = [*self._user, self._programs / "initdb", "-D", place / "data", "-U", "owner"]
        options = ["-A", "scram-sha-256", "--pwfile", password, "-N", "-E", "UTF8", "--locale=C"]
        subprocess.run([*initdb, *options], check=True, capture_output=True, cwd=place)

    @property
    def url(self) -> str:
        return f"postgres://owner:{PASSWORD}@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def start(self) -> None:
        postgres = [*self._user, self._programs / "postgres", "-D", self._place / "data"]
        listen = ["-p", str(self.port), "-k", self._place, "-c", "listen_addresses=127.0.0.1"]
        self._server = subprocess.Popen(
            [*postgres, *listen, "-c", "fsync=off"],
            cwd=self._place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + _START_SECONDS
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while time.monotonic() < end and self._server.poll() is None:
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.05)
        pytest.fail(f"PostgreSQL did not start (exit code {self._server.poll()})")

    def stop(self) -> None:
        """At once, with the processes of its connections."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGQUIT)
            self._server.wait(30)
            self._server = None

    def query(self, statement: str) -> str:
        """What psql prints for a statement, without headings."""
        command = [self._programs / "psql", "-X", "-A", "-t", self.url, "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server that ends with the block."""
    # Not below pytest's folders: those of root cannot be entered by the server's user.
    place = Path(tempfile.mkdtemp(prefix="bl-pg-"))
    try:
        server = PostgresServer(place)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(place)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    if initdb is None:
        pytest.fail("PostgreSQL is missing: apt install postgresql")
    return Path(initdb).parent


def _server_user(place: Path) -> list[str]:
    """How to run as somebody else where this is root, for whom the server does not run."""
    if os.getuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    shutil.chown(place, name)
    return ["runuser", "-u", name, "--"]
