"""The budget of a dataset over processes: one stub endpoint counts what four of them pay."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from vidassets.descriptions.account import Account
from vidassets.descriptions.budget import Budget
from vidassets.descriptions.ledger import Ledger, PaidCall
from vidassets.errors import ArtifactDamaged, StoreUnreachable
from vidassets.storage.store import ArtifactStore
from vidassets_tests.descriptions.wire_server import Request, WireServer
from vidassets_tests.s3_proxy import s3_proxy
from vidassets_tests.s3_server import S3Bucket

COST, BOUND = 120, 315  # nano-USD of a call at `PRICE`, and the most it can cost
LEASE_S = 0.5

DESCRIBES = f"""
import json, sys
from vidassets.descriptions import account
account.Account.__init__.__defaults__ = ({LEASE_S},)
from vidassets.descriptions.ledger import Ledger
from vidassets.resources.describers import OpenAICompatibleDescriber
from vidassets.storage.store import ArtifactStore
from vidassets_tests.descriptions.pictures import frames_of
from vidassets_tests.resources.test_describers import PRICE
url, budget, number, place = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
for clip in range(number * 2, number * 2 + 2):
    describer = OpenAICompatibleDescriber(
        base_url=url, prices=[PRICE], prompt="?", concurrency=4, requests_per_second=1000, budget_usd_dataset=budget
    )
    frames = frames_of(120)[clip * 15 : (clip + 1) * 15]
    list(describer.describe(str(clip), frames, Ledger(ArtifactStore(**place).records("paid_calls"))))
"""


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server
    assert server.complaints == []


def ledger_of(place: dict[str, str]) -> Ledger:
    return Ledger(ArtifactStore(**place).records("paid_calls"))


def describing(
    server: WireServer, place: dict[str, str], n_affordable: float, numbers: range
) -> list[subprocess.Popen[bytes]]:
    budget = str(n_affordable * COST / 1e9)
    command = [sys.executable, "-c", DESCRIBES, server.base_url, budget]
    return [subprocess.Popen([*command, str(number), json.dumps(place)]) for number in numbers]


@pytest.mark.runs
def test_four_processes_pay_at_most_the_budget_and_use_it(server: WireServer, place: dict[str, str]):
    with ExitStack() as stack:
        processes = [stack.enter_context(process) for process in describing(server, place, 60, range(4))]
    assert [process.returncode for process in processes] == [0] * 4
    # The budget pays for 60 of the 120 frames. A call is allowed while its bound, 2.6 calls, is left.
    assert 58 <= len(server.charged) <= 60
    assert ledger_of(place).committed_nanousd() == len(server.charged) * COST


@pytest.mark.runs
def test_a_killed_process_keeps_the_limit_and_its_money_comes_back(server: WireServer, place: dict[str, str]):
    def behave(request: Request) -> str:
        if request.n == 20:
            os.kill(processes[0].pid, signal.SIGKILL)
        return "ok"

    server.delay_s = 0.01
    server.behave = behave
    with ExitStack() as stack:
        processes = describing(server, place, 60, range(4))
        for process in processes:
            stack.enter_context(process)
    assert [process.returncode for process in processes] == [-signal.SIGKILL, 0, 0, 0]
    lost = [call for call in ledger_of(place).calls() if call.status == "sent"]
    assert len(lost) <= 4  # the calls under way when it was killed
    assert len(server.charged) <= 60
    # What is left is less than a bound. A lost call counts as its bound, 1.6 calls more than it cost.
    assert 60 * COST - BOUND < ledger_of(place).committed_nanousd() <= 60 * COST


# --- the account itself


CALL = PaidCall("ab" * 32, "0" * 12, "ok", 0, "clip-1", "m", "2026-11-05T10:00:00+00:00", "11" * 32, "22" * 8)


def recorded(ledger: Ledger, attempt: str, status: str, cost: int, key: str = "ab" * 32) -> None:
    ledger.record(replace(CALL, call_key=key, attempt=attempt, status=status, cost_nanousd=cost))


def test_the_calls_before_there_was_an_account_count(place: dict[str, str]):
    recorded(ledger_of(place), "0" * 12, "ok", 700)
    account = Account(ledger_of(place), 1000)
    assert account.reserve(301) is None
    assert account.reserve(300) is not None


def test_what_one_process_gives_back_another_can_reserve(place: dict[str, str]):
    first, second = (Account(ledger_of(place), 1000, lease_s=60) for _ in range(2))
    attempt = first.reserve(600)
    assert attempt is not None
    assert (second.reserve(600), second.may_become_free(600)) == (None, True)
    recorded(ledger_of(place), attempt, "ok", 100)
    first.settle(attempt, 600, 100)
    first.give_back()
    assert second.reserve(600) is not None


def test_money_that_is_spent_is_not_waited_for(place: dict[str, str]):
    first, second = (Account(ledger_of(place), 1000, lease_s=60) for _ in range(2))
    attempt = first.reserve(600)
    assert attempt is not None
    recorded(ledger_of(place), attempt, "ok", 600)
    first.settle(attempt, 600, 600)
    first.give_back()
    assert (second.reserve(600), second.may_become_free(600)) == (None, False)


def test_a_process_that_was_stopped_sends_nothing_under_a_grant_that_has_ended(place: dict[str, str]):
    stopped, other = Account(ledger_of(place), 1000, lease_s=0.0), Account(ledger_of(place), 1000, lease_s=0.0)
    attempt, unsent = stopped.reserve(300), stopped.reserve(200)
    assert attempt is not None
    assert unsent is not None
    recorded(ledger_of(place), attempt, "sent", 300)
    assert other.reserve(700) is not None  # the recorded call is settled at its bound, the other is forgotten
    recorded(ledger_of(place), unsent, "sent", 200)
    assert not stopped.confirm(unsent)
    stopped.settle(unsent, 200, 0)
    assert Account(ledger_of(place), 1000, lease_s=60).reserve(1) is None


def test_a_live_grant_is_confirmed_and_kept(place: dict[str, str]):
    live = Account(ledger_of(place), 1000, lease_s=0.0)
    attempt = live.reserve(300)
    assert attempt is not None
    assert live.confirm(attempt)
    assert live.confirm(attempt)


def test_a_damaged_account_says_how_to_make_it_again(place: dict[str, str]):
    ArtifactStore(**place).records("paid_calls").write_bytes("account.json", b"{")
    with pytest.raises(ArtifactDamaged, match="made again from the ledger"):
        Account(ledger_of(place), 1000).reserve(1)


def test_a_service_that_ignores_conditional_writes_is_refused(s3_bucket: S3Bucket):
    with s3_proxy(s3_bucket.endpoint_url) as proxy:
        proxy.drops = frozenset({"if-none-match", "if-match"})
        place = {"root": f"s3://{s3_bucket.name}/p", "endpoint_url": proxy.url}
        with pytest.raises(StoreUnreachable, match="ignores conditional writes"):
            Account(ledger_of(place), 1000).reserve(1)


def test_calls_are_paid_from_a_grant_without_a_look_at_the_account(s3_bucket: S3Bucket):
    with s3_proxy(s3_bucket.endpoint_url) as proxy:
        account = Account(ledger_of({"root": f"s3://{s3_bucket.name}/p", "endpoint_url": proxy.url}), 10_000)
        for _ in range(32):
            attempt = account.reserve(10)
            assert attempt is not None
            assert account.confirm(attempt)
            account.settle(attempt, 10, 5)
        # The probe (3), and the account: read, compared with the ledger, written.
        assert proxy.n_requests <= 8


def test_kills_and_ended_grants_in_any_order_exceed_no_limit(tmp_path: Path):
    """Threads stand for processes: they stop without a word, and grants end faster than calls are made."""
    limit, bound, lease_s, charged, lock = 10_000, 300, 0.02, [], threading.Lock()

    def calls(budget: Budget, ledger: Ledger, rng: random.Random, killed: threading.Event) -> None:
        while not killed.is_set() and (reserved := budget.reserve(bound, killed)) is not None:
            key = f"{rng.getrandbits(256):064x}"
            time.sleep(rng.choice((0, 0, lease_s)))
            recorded(ledger, reserved.attempt, "sent", bound, key)
            time.sleep(rng.choice((0, 0, 2 * lease_s)))
            if not budget.confirm(reserved):
                recorded(ledger, reserved.attempt, "released", 0, key)
                budget.settle(reserved, 0)
                continue
            cost = rng.randint(50, bound)
            with lock:
                charged.append(cost)
            if not killed.is_set():
                recorded(ledger, reserved.attempt, "ok", cost, key)
                budget.settle(reserved, cost)

    def process(number: int) -> None:
        rng = random.Random(number)
        for life in range(3):
            ledger, killed = ledger_of({"root": str(tmp_path)}), threading.Event()
            budget = Budget(None, Account(ledger, limit, lease_s))
            seeds = [random.Random(rng.random()) for _ in range(3)]
            threads = [threading.Thread(target=calls, args=(budget, ledger, seed, killed)) for seed in seeds]
            for thread in threads:
                thread.start()
            if life < 2:
                killed.wait(rng.uniform(0, 0.2))
                killed.set()
            for thread in threads:
                thread.join()

    processes = [threading.Thread(target=process, args=(number,)) for number in range(4)]
    for thread in processes:
        thread.start()
    for thread in processes:
        thread.join()
    assert limit - bound < ledger_of({"root": str(tmp_path)}).committed_nanousd() <= limit
    assert sum(charged) <= limit
