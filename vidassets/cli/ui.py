"""`vidassets ui`: the Dagster UI, its daemon and the project's code, as processes that end together."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from vidassets.cli.console import err, out
from vidassets.definitions import Settings
from vidassets.errors import UiError
from vidassets.shipped import FILES

HOST = "127.0.0.1"  # the UI has no login: only this machine may reach it
POLL_S = 0.2
END_WITHIN_S = 60.0  # Dagster's own processes get this long to end


def serve(settings: Settings, port: int) -> None:
    """Run the UI until Ctrl-C or SIGTERM.

    Args:
        settings: of the deployment, whose Dagster home exists.
        port: of the UI, on this machine only.
    Raises:
        UiError: the port is taken, or Dagster ended by itself.
    """
    _check_free(port)
    address = f"http://{HOST}:{port}"
    home = settings.dagster_home.resolve()
    environment = {
        **settings.environment,
        "VIDASSETS_HOME": str(settings.home),
        "VIDASSETS_PROFILE": str(settings.profile_path),
        "DAGSTER_HOME": str(home),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(FILES / "workspace.yaml")]
    command += ["--host", HOST, "--port", str(port), "--log-level", "warning"]
    with _ended_by_signals(), _process(command, environment) as process:
        try:
            while process.poll() is None and not _answers(address):
                time.sleep(POLL_S)
            if process.poll() is None:
                out.print(f"The Dagster UI: {address} (Ctrl-C ends it)")
            process.wait()
        except KeyboardInterrupt:
            err.print("Ending the UI and its daemon.")
            return
    raise UiError(f"Dagster ended with exit code {process.returncode}. What it printed above says why.")


@contextmanager
def _process(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in a session of its own, so that Ctrl-C reaches it once, from here; end it with the block."""
    # Its log goes to stderr: stdout has the address alone.
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=2)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_WITHIN_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt in the block on Ctrl-C, on SIGTERM, and when the terminal is closed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    # SIGINT as well: a process that a shell starts in the background ignores it otherwise.
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UiError(f"port {port}: {error.strerror}. Choose another one: `vidassets ui --port N`.") from error


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/server_info", timeout=POLL_S):  # noqa: S310 - http by its constant
            return True
    except (urllib.error.URLError, OSError):
        return False
