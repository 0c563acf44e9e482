from dataclasses import replace
from pathlib import Path

import pytest

from vidassets.descriptions.ledger import Ledger, PaidCall
from vidassets.errors import ArtifactDamaged
from vidassets.storage.store import ArtifactStore

KEY, OTHER = "ab" * 32, "cd" * 32
SENT = PaidCall(KEY, "0" * 12, "sent", 900, "clip-1", "m", "2026-11-05T10:00:00+00:00", "11" * 32, "22" * 8)
OK = replace(SENT, status="ok", cost_nanousd=487, description="Zwei Leute, ein Hammer", input_tokens=3, output_tokens=4)


@pytest.fixture
def records(tmp_path: Path):
    return ArtifactStore(str(tmp_path)).records("paid_calls")


def test_an_answer_is_found_by_another_process(records):
    Ledger(records).record(OK)
    assert Ledger(records).find(KEY) == OK


def test_an_answer_recorded_by_another_process_meanwhile_is_found(records):
    ours = Ledger(records)
    assert ours.find(KEY) is None
    Ledger(records).record(OK)
    assert ours.find(KEY) == OK


@pytest.mark.parametrize(("status", "found"), [("truncated", True), ("refused", True), ("failed", False)])
def test_only_failed_calls_are_made_again(records, status: str, found: bool):
    ledger = Ledger(records)
    ledger.record(replace(OK, status=status))
    assert (ledger.find(KEY) is not None) == found


def test_a_call_without_an_answer_counts_its_bound_and_one_with_an_answer_its_cost(records):
    ledger = Ledger(records)
    ledger.record(SENT)
    assert ledger.committed_nanousd() == 900
    ledger.record(OK)
    ledger.record(replace(SENT, attempt="1" * 12))
    for seen in (ledger, Ledger(records)):
        assert seen.committed_nanousd() == 487 + 900
        assert [call.status for call in seen.calls()] == ["ok", "sent"]


def test_one_listing_gives_costs_and_answers_without_reading_a_body(records):
    Ledger(records).record(OK)
    Ledger(records).record(replace(OK, call_key=OTHER, cost_nanousd=None))
    assert records.list_names() == [f"ab/{KEY}.{'0' * 12}.ok.487.json", f"cd/{OTHER}.{'0' * 12}.ok.x.json"]
    assert Ledger(records).n_without_price() == 1


def test_a_stray_file_in_the_ledger_is_ignored(records):
    records.write_bytes("ab/readme.txt", b"hello")
    assert Ledger(records).committed_nanousd() == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"call_key": 1, "surprise": 2}', OK.to_bytes()])
def test_a_damaged_answer_is_an_error_and_not_paid_again(records, body: bytes):
    name = replace(OK, call_key=OTHER).name
    records.write_bytes(name, body)
    with pytest.raises(ArtifactDamaged, match=OTHER):
        Ledger(records).find(OTHER)
