import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vidassets.descriptions.answers import frames_to_describe
from vidassets.descriptions.ledger import Ledger
from vidassets.descriptions.prices import nanousd
from vidassets.descriptions.table import descriptions_table, incomplete
from vidassets.errors import BudgetError, DescriberError
from vidassets.resources.describers import MeasuredDescriber, ModelPrice, OpenAICompatibleDescriber
from vidassets.schemas.clips import FrameDescriptions
from vidassets.storage.store import ArtifactStore
from vidassets_tests.descriptions.pictures import HEIGHT, WIDTH, frames_of
from vidassets_tests.descriptions.wire_server import STRUCTURED, Request, WireServer

KEY = "sk-very-secret-0123456789"
# The server bills 100 + 20 tokens a call: 120 nano-USD at these prices.
PRICE = ModelPrice(
    model="gpt-4o-mini",
    input_usd_per_million=0.001,
    output_usd_per_million=0.001,
    as_of="2026-11-05",
    source="a page",
    image_base_tokens=100,
)
COST_USD = 120e-9


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server
    assert server.complaints == []


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return opened_ledger(tmp_path)


def opened_ledger(folder: Path) -> Ledger:
    return Ledger(ArtifactStore(str(folder)).records("paid_calls"))


def describer(server: WireServer, **fields: object) -> OpenAICompatibleDescriber:
    quick = {"requests_per_second": 10_000, "first_backoff_s": 0.001, "longest_wait_s": 5.0, "timeout_s": 5.0}
    return OpenAICompatibleDescriber(**{"base_url": server.base_url, "prices": [PRICE]} | quick | fields)


def described(who: OpenAICompatibleDescriber | MeasuredDescriber, ledger: Ledger, n: int = 6) -> pl.DataFrame:
    return descriptions_table("clip-1", who.describe("clip-1", frames_of(n), ledger)).pipe(FrameDescriptions.validate)


def at_first(behaviour: str, times: int = 1):
    """Misbehave towards the first requests about each picture."""
    return lambda request: behaviour if request.n_of_picture <= times else "ok"


# --- true for every describer


@pytest.fixture(params=["measured", "endpoint"])
def any_describer(request: pytest.FixtureRequest, server: WireServer) -> MeasuredDescriber | OpenAICompatibleDescriber:
    return MeasuredDescriber() if request.param == "measured" else describer(server)


def test_every_frame_gets_one_row_that_keeps_the_schema(any_describer, ledger: Ledger):
    table = described(any_describer, ledger)
    assert table["frame_index"].to_list() == [0, 1, 2, 3, 4, 5]
    assert table["pts_s"].to_list() == [5.0, 15.0, 25.0, 35.0, 45.0, 55.0]
    assert table["status"].unique().to_list() == ["ok"]
    assert table["image_hash"].to_list() == [frame.image_hash for frame in frames_of(6)]
    assert incomplete(table) == 0


def test_no_frames_make_an_empty_table(any_describer, ledger: Ledger):
    assert described(any_describer, ledger, 0).height == 0


def test_the_same_frames_are_described_the_same(any_describer, ledger: Ledger):
    assert described(any_describer, ledger)["description"].equals(described(any_describer, ledger)["description"])


def test_an_identity_is_made_of_words(any_describer):
    assert all(isinstance(word, str) for pair in any_describer.identity().items() for word in pair)


@pytest.mark.parametrize("resource", [MeasuredDescriber, OpenAICompatibleDescriber, ModelPrice])
def test_a_misspelt_field_is_refused(resource: type):
    with pytest.raises(ValidationError, match="promt"):
        resource(promt="x")


# --- the request, and what is stored of the answer


def test_a_request_says_what_the_profile_says(server: WireServer, ledger: Ledger):
    described(
        describer(server, prompt="What?", max_tokens=77, detail="high", seed=3, structured_output=True), ledger, 1
    )
    body = server.requests[0].body
    assert (body["model"], body["max_tokens"], body["seed"], body["temperature"]) == ("gpt-4o-mini", 77, 3, 0.0)
    assert body["messages"][0]["content"][0]["text"] == "What?"
    assert body["messages"][0]["content"][1]["image_url"]["detail"] == "high"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert server.requests[0].picture == frames_of(1)[0].image_hash


def test_an_answer_is_kept_with_its_tokens_and_money(server: WireServer, ledger: Ledger):
    row = described(describer(server), ledger, 1).row(0, named=True)
    assert row["description"] == f"picture {row['image_hash'][:8]}"
    assert row["model"] == "gpt-4o-mini-2024-07-18"
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (100, 20, COST_USD)
    assert row["latency_s"] > 0
    assert row["actions"] is None


def test_a_structured_answer_fills_its_columns(server: WireServer, ledger: Ledger):
    row = described(describer(server, structured_output=True), ledger, 1).row(0, named=True)
    assert {name: row[name] for name in STRUCTURED} == STRUCTURED
    assert row["description"] == f"picture {row['image_hash'][:8]}"


def test_a_local_endpoint_gets_no_key_from_the_environment(
    server: WireServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    described(describer(server), ledger, 1)
    assert server.requests[0].authorization == "Bearer none"


# --- nothing is paid twice


def test_a_second_run_pays_nothing(server: WireServer, tmp_path: Path):
    first = described(describer(server), opened_ledger(tmp_path))
    second = described(describer(server), opened_ledger(tmp_path))
    assert len(server.requests) == 6
    assert not first["reused"].any()
    assert second["reused"].all()
    assert second.drop("reused").equals(first.drop("reused"))


def test_one_picture_shown_twice_is_paid_once(server: WireServer, ledger: Ledger):
    frames = frames_of(2)
    same = replace(frames[0], frame_index=2, pts_s=25.0)
    table = descriptions_table("clip-1", describer(server).describe("clip-1", [*frames, same], ledger))
    assert len(server.requests) == 2
    assert table["reused"].to_list() == [False, False, True]
    assert table["description"][2] == table["description"][0]


def test_another_clip_with_the_same_picture_pays_nothing(server: WireServer, ledger: Ledger):
    described(describer(server), ledger)
    list(describer(server).describe("clip-2", frames_of(6), ledger))
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    "changed",
    [{"prompt": "Else?"}, {"model": "m2"}, {"max_tokens": 9}, {"detail": "auto"}, {"structured_output": True}],
)
def test_a_change_of_the_request_repeats_the_call(server: WireServer, ledger: Ledger, changed: dict):
    described(describer(server), ledger, 1)
    assert not described(describer(server, **changed), ledger, 1)["reused"].any()
    assert describer(server).identity() != describer(server, **changed).identity()


@pytest.mark.parametrize(
    "changed", [{"api_key": KEY}, {"concurrency": 1}, {"timeout_s": 9.0}, {"budget_usd_per_run": 1.0}, {"prices": []}]
)
def test_a_change_of_speed_key_or_budget_repeats_no_call(server: WireServer, ledger: Ledger, changed: dict):
    described(describer(server), ledger, 1)
    assert described(describer(server, **changed), ledger, 1)["reused"].all()
    assert describer(server).identity() == describer(server, **changed).identity()


# Tests started in the background by a shell ignore SIGINT, as do their child processes.
RESTORE_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
KILLED = """
import sys
from pathlib import Path
from vidassets.descriptions.ledger import Ledger
from vidassets.resources.describers import OpenAICompatibleDescriber
from vidassets.storage.store import ArtifactStore
from vidassets_tests.descriptions.pictures import frames_of
from vidassets_tests.resources.test_describers import PRICE
ledger = Ledger(ArtifactStore(sys.argv[2]).records("paid_calls"))
describer = OpenAICompatibleDescriber(
    base_url=sys.argv[1], prices=[PRICE], concurrency=4, requests_per_second=1000, budget_usd_dataset=1.0
)
for answer in describer.describe("clip-1", frames_of(40), ledger):
    print(answer.image_hash, flush=True)
"""


@pytest.mark.runs
@pytest.mark.parametrize("interrupted_by", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_after_an_interruption_only_calls_under_way_are_made_again(
    server: WireServer, tmp_path: Path, interrupted_by: signal.Signals
):
    server.delay_s = 0.03
    process = subprocess.Popen(
        [sys.executable, "-c", RESTORE_SIGINT + KILLED, server.base_url, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        seen = [process.stdout.readline().strip() for _ in range(10)]
        os.kill(process.pid, interrupted_by)
    server.delay_s = 0.0
    before = len(server.requests)
    recorded = {call.image_hash for call in opened_ledger(tmp_path).calls() if call.status == "ok"}
    lost = [call for call in opened_ledger(tmp_path).calls() if call.status == "sent"]
    assert process.returncode == -interrupted_by
    assert set(seen) <= recorded

    ledger = opened_ledger(tmp_path)
    table = described(describer(server), ledger, 40)
    assert table["status"].unique().to_list() == ["ok"]
    assert {request.picture for request in server.requests[before:]}.isdisjoint(recorded)
    assert len(lost) <= 4  # at most the calls under way; they stay recorded as possibly spent
    assert ledger.committed_nanousd() == 40 * 120 + sum(call.cost_nanousd or 0 for call in lost)


@pytest.mark.runs
def test_an_endpoint_that_knows_idempotency_keys_charges_each_frame_once_over_a_kill(
    server: WireServer, tmp_path: Path
):
    def behave(request: Request) -> str:
        if request.n == 10:
            process.kill()
        return "ok"

    server.knows_keys, server.behave = True, behave
    command = [sys.executable, "-c", KILLED, server.base_url, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        pass
    assert described(describer(server), opened_ledger(tmp_path), 40)["status"].unique().to_list() == ["ok"]
    assert len(server.requests) > 40  # the calls under way were sent again
    assert len(server.charged) == 40


def test_a_retry_has_the_key_of_the_request_that_it_repeats(server: WireServer, ledger: Ledger):
    server.behave = at_first("cut", 2)
    described(describer(server), ledger, 1)
    assert len({request.idempotency_key for request in server.requests}) == 1


def test_a_new_answer_after_one_that_cannot_be_used_has_a_key_of_its_own(server: WireServer, tmp_path: Path):
    server.knows_keys = True
    server.behave = lambda _: "says nonsense"
    for _ in range(2):
        described(describer(server, structured_output=True), opened_ledger(tmp_path), 1)
    assert len({request.idempotency_key for request in server.requests}) == len(server.requests) == 6
    assert len(server.charged) == 6


# --- a budget is never exceeded

FATES = ["ok", "status 429 Retry-After=0", "status 500", "cut", "not-json", "says nonsense", "truncated", "refusal"]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(), n_affordable=st.integers(0, 12), limit=st.sampled_from(["budget_usd_per_run", "budget_usd_dataset"])
)
def test_no_mix_of_failures_exceeds_a_budget_at_concurrency_8(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, n_affordable: int, limit: str
):
    fates = data.draw(st.lists(st.sampled_from(FATES), min_size=1, max_size=30))
    with WireServer(behave=lambda request: fates[request.n % len(fates)]) as server:
        ledger = opened_ledger(tmp_path_factory.mktemp("store"))
        who = describer(server, concurrency=8, structured_output=True, timeout_s=2.0, **{limit: n_affordable * 1e-6})
        table = described(who, ledger, 16)
    # Each charged request costs 120: neither the bill nor the ledger may exceed the limit, whatever the server did.
    assert len(server.charged) * 120 <= nanousd(n_affordable * 1e-6)
    assert ledger.committed_nanousd() <= nanousd(n_affordable * 1e-6)
    assert table.height == 16


def test_frames_over_budget_are_marked_and_described_when_the_budget_allows(server: WireServer, tmp_path: Path):
    # Bound: 1 byte of prompt + 64 tokens of overhead + 100 for the picture + 150 of answer = 315 nano-USD.
    first = described(describer(server, prompt="?", budget_usd_dataset=0.6e-6, concurrency=1), opened_ledger(tmp_path))
    assert first["status"].to_list() == ["ok"] * 3 + ["over_budget"] * 3
    assert incomplete(first) == 3
    assert first["error"][3] == "may cost up to 0.000000315 USD, 0.000000240 USD of the budget is left"
    second = described(describer(server, prompt="?", budget_usd_dataset=1.0), opened_ledger(tmp_path))
    assert second["status"].unique().to_list() == ["ok"]
    assert second["reused"].to_list() == [True] * 3 + [False] * 3


def test_a_budget_of_0_still_returns_answers_paid_for_earlier(server: WireServer, tmp_path: Path):
    described(describer(server), opened_ledger(tmp_path), 3)
    table = described(describer(server, budget_usd_per_run=0.0), opened_ledger(tmp_path), 5)
    assert table["status"].to_list() == ["ok", "ok", "ok", "over_budget", "over_budget"]
    assert len(server.requests) == 3


def test_a_call_that_was_cut_off_keeps_its_bound_in_the_ledger(server: WireServer, ledger: Ledger):
    server.behave = lambda _: "cut"
    row = described(describer(server, max_retries=0), ledger, 1).row(0, named=True)
    [call] = ledger.calls()
    assert (row["status"], call.status) == ("failed", "sent")
    assert row["cost_usd"] == (call.cost_nanousd or 0) / 1e9 > COST_USD


def test_a_refused_request_costs_nothing(server: WireServer, ledger: Ledger):
    server.behave = lambda _: "status 500"
    row = described(describer(server, max_retries=1), ledger, 1).row(0, named=True)
    assert (row["status"], row["cost_usd"]) == ("failed", 0.0)
    assert ledger.committed_nanousd() == 0


def test_a_budget_without_a_price_is_refused_before_anything_is_sent(server: WireServer, ledger: Ledger):
    with pytest.raises(BudgetError, match="gpt-4o-mini"):
        described(describer(server, prices=[], budget_usd_per_run=1.0), ledger)
    assert server.requests == []


def test_a_model_without_a_price_costs_null_and_says_so(
    server: WireServer, ledger: Ledger, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
):
    table = described(describer(server, prices=[]), ledger)
    assert table["cost_usd"].null_count() == 6
    assert table["input_tokens"].to_list() == [100] * 6
    assert "has no price in the profile" in caplog.text + capfd.readouterr().err


def test_a_call_without_reported_usage_costs_its_bound(server: WireServer, ledger: Ledger):
    server.usage = None
    row = described(describer(server), ledger, 1).row(0, named=True)
    assert (row["status"], row["input_tokens"]) == ("ok", None)
    assert "no usage reported" in row["error"]
    assert row["cost_usd"] == ledger.committed_nanousd() / 1e9 > COST_USD


# --- an endpoint that misbehaves


@pytest.mark.parametrize(
    "behaviour",
    ["status 429", "status 429 Retry-After=0.02", "status 429 retry-after-ms=5", "retry-date 1", "status 500",
     "status 503", "status 502", "cut", "cut-body", "not-json"],
)  # fmt: skip
def test_a_temporary_error_is_retried(server: WireServer, ledger: Ledger, behaviour: str):
    server.behave = at_first(behaviour)
    table = described(describer(server), ledger, 3)
    assert table["status"].to_list() == ["ok"] * 3
    assert [server.count(picture) for picture in table["image_hash"]] == [2, 2, 2]


@pytest.mark.parametrize("behaviour", ["hang", "trickle"])
def test_a_hanging_request_is_cancelled_and_retried(server: WireServer, ledger: Ledger, behaviour: str):
    server.behave = at_first(behaviour)
    assert described(describer(server, timeout_s=0.3), ledger, 2)["status"].to_list() == ["ok", "ok"]


def test_no_thread_retries_before_the_time_that_the_endpoint_requests(server: WireServer, ledger: Ledger):
    server.behave = lambda request: "status 429 Retry-After=0.5" if request.n == 1 else "ok"
    described(describer(server, concurrency=1), ledger, 3)
    assert server.requests[1].at_s - server.requests[0].at_s >= 0.5


def test_a_requested_wait_beyond_the_limit_leaves_the_frame_to_the_next_run(server: WireServer, ledger: Ledger):
    server.behave = lambda _: "status 429 Retry-After=3600"
    table = described(describer(server), ledger, 2)
    assert len(server.requests) == 2
    assert table["status"].to_list() == ["failed", "failed"]
    assert "asks for 3600 s" in table["error"][0]


@pytest.mark.parametrize(
    ("behaviour", "status", "description"),
    [("refusal", "refused", None), ("filtered", "refused", None), ("truncated", "truncated", "A person is"),
     ("status 400 code=content_filter", "refused", None)],
)  # fmt: skip
def test_a_final_answer_is_not_requested_again(
    server: WireServer, ledger: Ledger, behaviour: str, status: str, description: str | None
):
    server.behave = lambda _: behaviour
    for _ in range(2):
        row = described(describer(server), ledger, 1).row(0, named=True)
        assert (row["status"], row["description"]) == (status, description)
    assert len(server.requests) == 1


def test_a_structured_answer_that_violates_the_schema_is_retried_twice_then_failed(server: WireServer, ledger: Ledger):
    server.behave = lambda _: "says hello"
    row = described(describer(server, structured_output=True), ledger, 1).row(0, named=True)
    assert row["status"] == "failed"
    assert row["cost_usd"] == pytest.approx(3 * COST_USD)
    assert ledger.committed_nanousd() == 3 * 120


def test_failed_frames_are_retried_and_the_others_kept(server: WireServer, tmp_path: Path):
    bad = frames_of(6)[2].image_hash
    server.behave = lambda request: "status 400" if request.picture == bad else "ok"
    first = described(describer(server), opened_ledger(tmp_path))
    assert first["status"].to_list() == ["ok", "ok", "failed", "ok", "ok", "ok"]
    assert incomplete(first) == 1
    server.behave = lambda _: "ok"
    second = described(describer(server), opened_ledger(tmp_path))
    assert second["reused"].to_list() == [True, True, False, True, True, True]
    assert server.count(bad) == 2


@pytest.mark.parametrize(
    ("behaviour", "fix"),
    [("status 401", "environment variable"), ("status 403", "check the account"), ("status 404", "check `model`"),
     ("status 429 code=insufficient_quota", "insufficient_quota"),
     ("status 400 code=unsupported_parameter", "parameters")],
)  # fmt: skip
def test_an_error_that_every_frame_would_cause_stops_at_once(
    server: WireServer, ledger: Ledger, behaviour: str, fix: str
):
    server.behave = lambda _: behaviour
    with pytest.raises(DescriberError, match=fix):
        described(describer(server, concurrency=2, prices=[PRICE]), ledger, 50)
    assert len(server.requests) <= 4
    assert ledger.committed_nanousd() == 0


def test_an_endpoint_that_keeps_failing_is_considered_down(server: WireServer, ledger: Ledger):
    server.behave = lambda _: "status 500"
    with pytest.raises(DescriberError, match="5 frames failed in a row"):
        described(describer(server, max_retries=0, max_failures_in_a_row=5, concurrency=1), ledger, 50)
    assert len(server.requests) < 10


def test_an_address_without_a_server_fails_without_cost(ledger: Ledger):
    with WireServer() as server:
        pass
    row = described(describer(server, max_retries=1), ledger, 1).row(0, named=True)
    assert (row["status"], row["cost_usd"]) == ("failed", 0.0)
    assert "no connection to http://127.0.0.1" in row["error"]


def test_the_rate_holds_over_all_threads_and_retries(server: WireServer, ledger: Ledger):
    server.behave = at_first("status 500")
    described(describer(server, concurrency=8, requests_per_second=40), ledger, 10)
    times_s = sorted(request.at_s for request in server.requests)
    assert len(times_s) == 20
    assert max(sum(start <= time_s < start + 0.25 for time_s in times_s) for start in times_s) <= 14  # 10, and a margin


def test_concurrency_is_bounded_and_used(server: WireServer, ledger: Ledger):
    under_way, most, lock = Counter(), [], threading.Lock()

    def behave(request: Request) -> str:
        with lock:
            under_way["now"] += 1
            most.append(under_way["now"])
        time.sleep(0.05)
        with lock:
            under_way["now"] -= 1
        return "ok"

    server.behave = behave
    described(describer(server, concurrency=3), ledger, 9)
    assert max(most) == 3


# --- interruption


def test_a_closed_generator_has_kept_all_it_received(server: WireServer, tmp_path: Path):
    server.behave = lambda request: "ok" if request.n <= 3 else "hang"
    answers = describer(server, concurrency=2, timeout_s=60).describe("clip-1", frames_of(20), opened_ledger(tmp_path))
    seen = {next(answers).image_hash for _ in range(3)}
    answers.close()  # a hang of 60 s would show
    assert {call.image_hash for call in opened_ledger(tmp_path).calls() if call.status == "ok"} == seen
    assert len(server.requests) <= 5


# --- secrets


def test_a_key_is_never_shown(
    server: WireServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
):
    caplog.set_level(logging.DEBUG)
    who = describer(server, api_key=KEY, max_retries=0)
    server.behave = lambda request: "echo-key 500" if request.n <= 2 else "echo-key 401"
    shown = [repr(who), str(who), str(who.identity())]
    shown.append(str(described(who, opened_ledger(tmp_path), 2).to_dicts()))
    with pytest.raises(DescriberError) as caught:
        described(who, opened_ledger(tmp_path), 2)
    error: BaseException | None = caught.value
    while error is not None:
        shown.append(f"{error!r} {error}")
        error = None if error.__suppress_context__ else error.__context__
    shown += [path.read_text() for path in tmp_path.rglob("*.json")]
    output = capfd.readouterr()
    assert server.requests[0].authorization == f"Bearer {KEY}"
    assert KEY not in " ".join([*shown, caplog.text, output.out, output.err])


def test_openai_without_a_key_is_an_error(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(DescriberError, match="no API key"):
        described(OpenAICompatibleDescriber(prices=[PRICE]), ledger)


@pytest.mark.parametrize("key", ["sk-abc\ndef", "sk-äöü"])
def test_an_invalid_key_is_refused_without_showing_it(server: WireServer, ledger: Ledger, key: str):
    with pytest.raises(DescriberError) as caught:
        described(describer(server, api_key=key), ledger)
    assert key not in str(caught.value)


# --- in Dagster


@pytest.mark.runs
def test_a_profile_sets_key_and_prices_and_a_budget_that_is_full_in_each_run(
    server: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DESCRIBER_KEY", KEY + "\n")
    done: list[int] = []

    @dg.asset
    def descriptions(describer: OpenAICompatibleDescriber) -> None:
        for clip in ("clip-1", "clip-2"):
            answers = describer.describe(clip, frames_of(9), opened_ledger(tmp_path))
            done.append(sum(answer.status == "ok" for answer in answers))

    # A call costs 120 nano-USD and its bound is 315, so a budget of 600 allows three calls.
    profile = describer(
        server, prompt="?", budget_usd_per_run=0.6e-6, concurrency=1, api_key=dg.EnvVar("DESCRIBER_KEY")
    )
    for _ in range(2):
        dg.materialize([descriptions], resources={"describer": profile})
    assert server.requests[0].authorization == f"Bearer {KEY}"
    assert done == [3, 3, 6, 6]  # the second clip of a run reuses the answers of the first, and the budget is used up


def test_frames_of_the_store_become_frames_to_describe():
    [frame] = frames_of(1)
    table = pl.DataFrame(
        {"frame_index": [0], "pts_s": [5.0], "width": [WIDTH], "height": [HEIGHT], "image": [{"bytes": frame.jpeg}]}
    )
    assert frames_to_describe(table) == [frame]
