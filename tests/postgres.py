"""A real PostgreSQL server for the tests, with a database for every root."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

PROGRAMS = Path("/usr/lib/postgresql")
"""Folder of the installed versions on Debian."""
SETTINGS = {"listen_addresses": "", "max_connections": "300", "fsync": "on", "log_min_messages": "warning"}


class Postgres:
    """A server for this process alone, on a socket in a private folder.

    It is started as another user if this one is root, which PostgreSQL rejects.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="runwidgets-pg-"))
        self._as: list[str] = []
        if os.getuid() == 0:
            other = pwd.getpwnam("postgres")
            os.chown(self.folder, other.pw_uid, other.pw_gid)
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self._call("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        with (self.folder / "data" / "postgresql.conf").open("a") as settings:
            settings.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
            settings.write(f"unix_socket_directories = '{self.folder}'\n")
        self.start()
        self._made: set[str] = set()

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        self._call("pg_ctl", "-D", self._data, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self) -> None:
        """Stop the server as a crash of its machine would; committed data remains."""
        self._call("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def url(self, root: Path) -> str:
        """Return the URL of a root's database, which is created if missing."""
        name = f"root_{hashlib.sha256(str(root).encode()).hexdigest()[:16]}"
        if name not in self._made:
            with psycopg.connect(host=str(self.folder), user="postgres", autocommit=True) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
                if known.fetchone() is None:
                    connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
            self._made.add(name)
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def remove(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self.folder)

    def _call(self, program: str, *options: str) -> None:
        newest = max(PROGRAMS.glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
        subprocess.run(
            [*self._as, str(newest), *options], check=True, cwd=self.folder, stdout=subprocess.DEVNULL
        )
