"""A real PostgreSQL server on loopback, for as long as a test needs it."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg2

START_TIMEOUT_S = 600


def server_programs() -> Path | None:
    """The folder that holds both `initdb` and `postgres`, or None where no server is installed."""
    folders = [Path(folder) for folder in os.get_exec_path()] + sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((path for path in folders if (path / "initdb").is_file() and (path / "postgres").is_file()), None)


@contextmanager
def running_server(programs: Path, user: str, password: str) -> Iterator[Mapping[str, str]]:
    """Connection settings (host, port, dbname, user, password) of a server that asks for the password."""
    folder = Path(mkdtemp(prefix="postgres-"))
    # The server refuses to run as root.
    account = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    try:
        (folder / "password").write_text(password)
        if os.geteuid() == 0:
            shutil.chown(folder, account)
            shutil.chown(folder / "password", account)
        _run(["initdb", "--username", user, "--pwfile", folder / "password", "--auth", "scram-sha-256", "--no-sync",
              "--locale", "C", "--encoding", "UTF8", folder / "data"], programs, account)  # fmt: skip
        settings = {"host": "127.0.0.1", "port": str(_free_port()), "dbname": "postgres"}
        settings |= {"user": user, "password": password}
        with _started(programs, account, folder, settings["port"]) as process:
            _wait_until_it_answers(process, settings, folder / "log")
            yield settings
    finally:
        shutil.rmtree(folder)


def _run(command: list[str | Path], programs: Path, account: str) -> None:
    program = programs / command[0]
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, cwd="/", **_as(account))
    if done.returncode:
        raise RuntimeError(f"{program} failed:\n{done.stdout}\n{done.stderr}")


@contextmanager
def _started(programs: Path, account: str, folder: Path, port: str) -> Iterator[subprocess.Popen]:
    # -k "": no socket file; -F: nothing has to survive.
    command = [programs / "postgres", "-D", folder / "data", "-h", "127.0.0.1", "-p", port, "-k", "", "-F"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **_as(account))
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)  # ends its sessions, and itself
        process.wait(START_TIMEOUT_S)


def _as(account: str) -> dict:
    return {"user": account, "group": pwd.getpwnam(account).pw_gid} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait_until_it_answers(process: subprocess.Popen, settings: Mapping[str, str], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with closing(psycopg2.connect(**settings)):
                return
        except psycopg2.OperationalError:
            time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
