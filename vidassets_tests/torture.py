"""`make torture`: kills, several commands at once, hostile files, a budget under attack. Prints what was lost.

Everything runs on this machine, in a temporary folder; the endpoint that is paid is a stub on loopback that counts.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import dagster as dg
from rich.console import Console
from rich.table import Table

from vidassets_tests.builders import CLIP_ASSETS, VIDEO, Home, film
from vidassets_tests.descriptions.test_account import COST, describing, ledger_of
from vidassets_tests.descriptions.wire_server import Request, WireServer
from vidassets_tests.test_bad_input import FILES, SIDECARS

SEED = 9
N_KILLS, N_FILMS, N_COMMANDS = 8, 6, 3
LONGEST_S = 300.0  # of a process before it counts as hanging
PAID_KILLS = 3
N_PAID_FRAMES = 120
TOY_RUN = (
    "import dagster as dg, vidassets_tests.toy_graph as t; from vidassets.automation.launch import launch;"
    "launch(t.defs, dg.DagsterInstance.get(), [dg.AssetKey(n) for n in ('number', 'doubled')], ('c0', 'c9'))"
)


@dataclass
class Report:
    """What an attack came to.

    Attributes:
        attack: what was done.
        tried: how often, or on how much.
        survived: what held, counted in what has to hold.
        lost: every violation, in words.
    """

    attack: str
    tried: str
    survived: str = ""
    lost: list[str] = field(default_factory=list)


def kills(folder: Path) -> Report:
    """Kill a command again and again; the last one, undisturbed, has to leave what an undisturbed one leaves."""
    rng = random.Random(SEED)
    report = Report("kill -9 during a run", f"{N_KILLS} kills")
    calm, killed = Home(folder / "calm"), Home(folder / "killed")
    for number in range(N_FILMS):
        film(calm.videos / f"film-{number}.mp4", (0.6, 1.0), place=number)
    add_and_run = ("run", str(calm.videos), "--select", VIDEO)
    _ended(calm.process(*add_and_run))
    n_killed = 0
    while n_killed < N_KILLS:
        process = killed.process(*add_and_run)
        time.sleep(rng.uniform(3, 14))
        if process.poll() is not None:
            break  # it was done: there is nothing left to disturb
        process.kill()
        process.wait()
        n_killed += 1
    report.tried = f"{n_killed} kills"
    code, text = _ended(killed.process(*add_and_run))
    report.lost += _is_wrong(code, text, 0)
    expected, found = _artifacts(calm), _artifacts(killed)
    report.lost += [f"{name} is missing" for name in expected.keys() - found.keys()]
    # Facts and documents name the home's folder or the time of the work.
    compared = [name for name in found if name.split("/")[0] in ("frames", "shots", "shot_scores")]
    report.lost += [f"{name} has other bytes" for name in compared if found[name] != expected.get(name)]
    report.lost += [f"{cell} was made {n} times" for cell, n in _made(killed).items() if n > 1]
    report.survived = f"{len(found)} artifacts, {len(compared)} compared byte for byte"
    return report


def commands_at_once(folder: Path) -> Report:
    """Start several commands on a home that does not exist yet; together they do the work once."""
    report = Report("commands at once on a fresh home", f"{N_COMMANDS} commands")
    home = Home(folder / "at-once")
    for number in range(N_FILMS):
        film(home.videos / f"film-{number}.mp4", (0.6, 1.0), place=10 + number)
    (home.path / "dagster" / "dagster.yaml").unlink()
    (home.path / "dagster").rmdir()
    processes = [home.process("run", str(home.videos), "--select", VIDEO) for _ in range(N_COMMANDS)]
    for process in processes:
        report.lost += _is_wrong(*_ended(process), 0)
    made = _made(home)
    report.lost += [f"{cell} was made {n} times" for cell, n in made.items() if n > 1]
    wanted = {(asset, f"film-{number}") for asset in CLIP_ASSETS for number in range(N_FILMS)}
    report.lost += [f"{cell} was not made" for cell in wanted - made.keys()]
    report.survived = f"{len(made)} cells, each made once"
    return report


def hostile_files(folder: Path) -> Report:
    """Add a folder of broken, odd and malicious files; what is good in it has to be made."""
    home = Home(folder / "hostile")
    for name, make in FILES.items():
        (home.videos / name).parent.mkdir(exist_ok=True)
        make(home.videos / name)
    for name, make in SIDECARS.items():
        film(home.videos / f"side-{name}.mp4")
        make(home.videos / f"side-{name}.json")
    (home.videos / "script.mp4").write_text("ffconcat version 1.0\nfile script.mp4\n")
    (home.videos / "sibling.mp4").write_text("ffconcat version 1.0\nfile neighbour.mp4\n")
    (home.videos / "list.mp4").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nneighbour.mp4\n#EXT-X-ENDLIST\n"
    )
    rng = random.Random(SEED)
    good = (home.videos / "neighbour.mp4").read_bytes()
    n_mutants = 24
    for number in range(n_mutants):
        mutant = bytearray(good)
        for _ in range(rng.choice((1, 20, 400))):
            mutant[rng.randrange(len(mutant))] = rng.randrange(256)
        (home.videos / f"mutant-{number}.mp4").write_bytes(mutant)
    n_files = len(FILES) + len(SIDECARS) + 3 + n_mutants
    report = Report("hostile files", f"{n_files} files")
    code, text = _ended(home.process("run", str(home.videos), "--select", VIDEO))
    report.lost += _is_wrong(code, text, 1)
    with home.deployment() as deployment:
        clips = deployment.instance.get_dynamic_partitions("clips")
        board = deployment.workload(clips, VIDEO.split(",")).board()
    states = {clip: [str(cell.state) for (_, key), cell in board.cells.items() if key == clip] for clip in clips}
    report.lost += [
        f"{clip}: {state}"
        for clip in ("neighbour", "twice", "inside", *(f"side-{name}" for name in SIDECARS))
        if clip in states
        for state in set(states[clip]) - {"up to date"}
    ]
    unsaid = [clip for clip in clips for cell in [board.cells["raw_clip", clip]] if not (cell.made or cell.reason)]
    report.lost += [f"{clip}: neither made nor failed with a reason" for clip in unsaid]
    n_failed = sum("failed" in of_clip for of_clip in states.values())
    report.survived = f"{n_files - len(clips)} refused, {n_failed} failed with a reason, {len(clips) - n_failed} made"
    return report


def poison(folder: Path) -> Report:
    """Process a clip that kills every process that works on it, among nine others."""
    from vidassets_tests.toy_graph import register

    report = Report("a clip that kills its process", "1 of 10 clips, 3 runs")
    home = folder / "poison"
    for name in ("gates", "dagster"):
        (home / name).mkdir(parents=True)
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = {"TOY_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    with mock.patch.dict(os.environ, environment), dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        register(home, instance, {f"c{number}": "die" if number == 2 else str(number) for number in range(10)})
        codes = [
            subprocess.run([sys.executable, "-c", TOY_RUN], stderr=subprocess.DEVNULL, check=False).returncode
            for _ in range(3)
        ]
        doubled = instance.get_materialized_partitions(dg.AssetKey("doubled"))
    if codes[0] != -signal.SIGKILL:
        report.lost.append(f"the clip did not kill the first process: exit code {codes[0]}")
    report.lost += [f"process {n} died with {code}" for n, code in enumerate(codes) if n and code < 0]
    report.lost += [f"c{n} was not made" for n in range(10) if n != 2 and f"c{n}" not in doubled]
    report.survived = f"{len(doubled)} clips made, {sum(code < 0 for code in codes)} process died"
    return report


def budget(folder: Path) -> Report:
    """Let four processes spend one budget, and kill one of them."""
    affordable = N_PAID_FRAMES // 2
    report = Report("one budget, 4 processes, one killed", f"{affordable} of {N_PAID_FRAMES} calls affordable")
    place = {"root": str(folder / "budget")}

    def behave(request: Request) -> str:
        if request.n == 20:
            os.kill(processes[0].pid, signal.SIGKILL)
        return "ok"

    with WireServer(behave=behave, delay_s=0.01) as server, ExitStack() as stack:
        processes = describing(server, place, affordable, range(4))
        for process in processes:
            stack.enter_context(process)
    if len(server.charged) > affordable:
        report.lost.append(f"{len(server.charged)} calls were paid")
    if ledger_of(place).committed_nanousd() > affordable * COST:
        report.lost.append("the ledger counts more than the budget")
    report.survived = f"{len(server.charged)} calls paid, the ledger agrees"
    return report


def kills_during_paid_calls(folder: Path) -> Report:
    """Kill a process that pays; an endpoint that knows idempotency keys charges each call once."""
    report = Report("kill -9 during paid calls", f"{PAID_KILLS} kills")
    place, at = {"root": str(folder / "paid")}, iter(range(7, 10**9, 9))
    next_kill, kills_left = next(at), PAID_KILLS

    def behave(request: Request) -> str:
        nonlocal next_kill, kills_left
        if kills_left and request.n >= next_kill:
            next_kill, kills_left = request.n + 9, kills_left - 1
            os.kill(process.pid, signal.SIGKILL)
        return "ok"

    with WireServer(behave=behave, delay_s=0.02, knows_keys=True) as server:
        while True:
            [process] = describing(server, place, 10 * N_PAID_FRAMES, range(1))
            if process.wait(LONGEST_S) != -signal.SIGKILL:
                break
    twice = [picture for picture, n in Counter(server.charged).items() if n > 1]
    report.lost += [f"a picture was charged {server.charged.count(picture)} times" for picture in twice]
    if process.returncode:
        report.lost.append(f"the last process ended with {process.returncode}")
    again = len(server.requests) - len(server.charged)
    report.survived = f"{len(server.charged)} calls charged once, {again} sent again under the same key"
    return report


ATTACKS: Sequence[Callable[[Path], Report]] = (
    kills,
    commands_at_once,
    hostile_files,
    poison,
    budget,
    kills_during_paid_calls,
)


def main() -> int:
    """Carry out the attacks that are named, or all; return 1 if anything was lost."""
    chosen = [attack for attack in ATTACKS if attack.__name__ in sys.argv[1:] or not sys.argv[1:]]
    table = Table("attack", "tried", "survived", "lost", "seconds", box=None, header_style="bold", pad_edge=False)
    console, lost = Console(), []
    with TemporaryDirectory(prefix="vidassets-torture-") as folder:
        for attack in chosen:
            started = time.monotonic()
            report = attack(Path(folder))
            seconds = f"{time.monotonic() - started:.0f}"
            console.print(f"{report.attack}: {seconds} s", style="dim", highlight=False)
            table.add_row(report.attack, report.tried, report.survived, str(len(report.lost)), seconds)
            lost += [f"{report.attack}: {what}" for what in report.lost]
    console.print(table)
    for what in lost:
        console.print(what, style="red", markup=False, highlight=False)
    return 1 if lost else 0


def _ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    try:
        out, err = process.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return 124, "hangs"
    return process.returncode, out + err


def _is_wrong(code: int, text: str, expected: int) -> Iterator[str]:
    if code != expected:
        yield f"exit code {code} instead of {expected}: {text[-300:]}"
    if "Traceback" in text:
        yield f"a traceback: {text[-300:]}"


def _artifacts(home: Home) -> dict[str, bytes]:
    """Return the bytes of every stored artifact of a clip, by its path in the store."""
    root = home.path / "data"
    files = [path for asset in CLIP_ASSETS for path in (root / asset).glob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _made(home: Home) -> dict[tuple[str, str], int]:
    """Return how often each cell was materialised."""
    counts: Counter[tuple[str, str]] = Counter()
    with home.deployment() as deployment:
        for asset in CLIP_ASSETS:
            records = deployment.instance.fetch_materializations(dg.AssetKey(asset), limit=9999).records
            counts.update((asset, str(record.partition_key)) for record in records)
    return dict(counts)


if __name__ == "__main__":
    raise SystemExit(main())
