"""Dagster as it runs on a server: a code server, the daemon and the webserver, each its own process on loopback.

`python -m vidassets_tests.daemon_process` is `dagster-daemon` with shorter pauses between its rounds, for tests.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import yaml

PROJECT = Path(__file__).resolve().parent.parent
ROUND_S = 1  # of each daemon; Dagster's own are 5 and 30 s
REPOSITORY = {"repositoryLocationName": "toy", "repositoryName": "__repository__"}
IMPLICIT_JOB = REPOSITORY | {"pipelineName": "__ASSET_JOB"}
LAUNCH_BACKFILL = """
mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  ... on PartitionSetNotFoundError { message } } }
"""
LAUNCH_RUNS = """
mutation ($params: [ExecutionParams!]!) { launchMultipleRuns(executionParamsList: $params) {
  __typename ... on PythonError { message }
  ... on LaunchMultipleRunsResult { launchMultipleRunsResult {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } } } }
"""
START_SENSOR = """
mutation ($selector: SensorSelector!) { startSensor(sensorSelector: $selector) {
  __typename ... on PythonError { message } } }
"""
TICKS = """
query ($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { ticks(limit: 5, statuses: [SUCCESS, SKIPPED]) { tickId } } } } }
"""


@dataclass(frozen=True)
class Ui:
    """The GraphQL mutations that the browser sends, over HTTP."""

    address: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of the answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        with urlopen(Request(f"{self.address}/graphql", body, {"Content-Type": "application/json"})) as answer:
            reply = json.load(answer)
        if "errors" in reply:
            raise RuntimeError(f"{query}: {reply['errors']}")
        return reply["data"]

    def backfill(self, assets: Iterable[str], clips: Iterable[str]) -> str:
        """Launch a backfill; its id."""
        params = {"assetSelection": _keys(assets), "partitionNames": list(clips), "tags": []}
        answer = self.ask(LAUNCH_BACKFILL, params=params)["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise RuntimeError(str(answer))
        return answer["backfillId"]

    def launch(self, assets: Iterable[str], **tags: str) -> str:
        """Launch one run, as the launchpad does; its id."""
        params = {
            "selector": IMPLICIT_JOB | {"assetSelection": _keys(assets)},
            "mode": "default",
            "runConfigData": "{}",
            "executionMetadata": {"tags": [{"key": f"dagster/{name}", "value": value} for name, value in tags.items()]},
        }
        [launched] = self.ask(LAUNCH_RUNS, params=[params])["launchMultipleRuns"]["launchMultipleRunsResult"]
        if "run" not in launched:
            raise RuntimeError(str(launched))
        return launched["run"]["runId"]

    def start_sensor(self, name: str) -> None:
        """Turn a sensor on."""
        answer = self.ask(START_SENSOR, selector=REPOSITORY | {"sensorName": name})["startSensor"]
        if answer["__typename"] != "Sensor":
            raise RuntimeError(str(answer))

    def last_tick(self, sensor: str) -> int:
        """The number of a sensor's latest finished tick; 0 before the first."""
        state = self.ask(TICKS, selector=REPOSITORY | {"sensorName": sensor})["sensorOrError"]["sensorState"]
        return max((int(tick["tickId"]) for tick in state["ticks"]), default=0)


@contextmanager
def dagster_processes(home: Path, module: str) -> Iterator[Ui]:
    """The three processes over the definitions of a module, on the instance of `DAGSTER_HOME`; logs are in `home`."""
    code_port, web_port = free_port(), free_port()
    workspace = home / "workspace.yaml"
    server = {"host": "127.0.0.1", "port": code_port, "location_name": "toy"}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    web = ["-h", "127.0.0.1", "-p", str(web_port), "-w", str(workspace), "--log-level", "warning"]
    with ExitStack() as running:
        code = _started(running, home, "code_server", "dagster", "api", "grpc", "-m", module, "-p", str(code_port))
        wait_for(lambda: _listens(code_port, code), "the code server to listen")
        _started(running, home, "daemon", "vidassets_tests.daemon_process", "run", "-w", str(workspace))
        webserver = _started(running, home, "webserver", "dagster_webserver", *web)
        ui = Ui(f"http://127.0.0.1:{web_port}")
        wait_for(lambda: _listens(web_port, webserver) and _answers(ui), "the webserver to answer")
        yield ui


def project_instance() -> str:
    """The project's dagster.yaml, with the queue emptied every round."""
    config = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    config["run_coordinator"]["config"]["dequeue_interval_seconds"] = ROUND_S
    return yaml.safe_dump(config)


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 120.0) -> Any:
    """Return the value of a condition once it is true."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(0.1)
    return value


def _keys(assets: Iterable[str]) -> list[dict[str, list[str]]]:
    return [{"path": [name]} for name in assets]


def _started(running: ExitStack, home: Path, name: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    log = running.enter_context((home / f"{name}.log").open("wb"))
    environment = os.environ | {"DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": str(ROUND_S)}
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=PROJECT)
    running.callback(process.wait)
    running.callback(process.kill)
    return process


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"{process.args}: ended with {process.returncode}; its log is in the test's folder")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(ui: Ui) -> bool:
    try:
        return bool(ui.ask("{ version }"))
    except (URLError, ConnectionError):
        return False


def _daemon() -> None:
    from dagster._daemon import asset_daemon, controller
    from dagster._daemon.cli import cli

    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = ROUND_S
    asset_daemon.MIN_INTERVAL_LOOP_SECONDS = ROUND_S
    cli(prog_name="dagster-daemon")


if __name__ == "__main__":
    _daemon()
