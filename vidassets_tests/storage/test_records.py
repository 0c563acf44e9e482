import pytest

from vidassets.errors import ArtifactMissing, InvalidKey
from vidassets.storage.store import ArtifactStore


def test_a_record_comes_back_as_it_was_written(store: ArtifactStore):
    store.records("paid_calls").write_bytes("ab/ab12.json", b"{}")
    assert store.records("paid_calls").read_bytes("ab/ab12.json") == b"{}"


def test_names_are_listed_in_order_with_their_folder(store: ArtifactStore):
    ledger = store.records("paid_calls")
    for name in ("b0/b0.json", "ab/ab2.json", "ab/ab1.json", "plain.json"):
        ledger.write_bytes(name, b"")
    assert ledger.list_names() == ["ab/ab1.json", "ab/ab2.json", "b0/b0.json", "plain.json"]


@pytest.mark.parametrize("prefix", ["ab/", "a", "ab/ab"])
def test_names_are_listed_by_prefix(store: ArtifactStore, prefix: str):
    ledger = store.records("paid_calls")
    for name in ("ab/ab1.json", "b0/b0.json"):
        ledger.write_bytes(name, b"")
    assert ledger.list_names(prefix) == ["ab/ab1.json"]


def test_a_ledger_without_records_has_no_names(store: ArtifactStore):
    assert store.records("paid_calls").list_names() == []


def test_a_record_that_was_never_written_is_missing(store: ArtifactStore):
    with pytest.raises(ArtifactMissing, match=r"paid_calls/ab/ab12\.json"):
        store.records("paid_calls").read_bytes("ab/ab12.json")


def test_a_deleted_record_is_gone(store: ArtifactStore):
    ledger = store.records("paid_calls")
    ledger.write_bytes("a.json", b"")
    ledger.delete("a.json")
    assert ledger.list_names() == []


@pytest.mark.parametrize("name", ["../a.json", "a/b/c.json", "/a.json", "a", "a/", ".a.json", "a/../b.json"])
def test_a_bad_name_of_a_record_is_refused(store: ArtifactStore, name: str):
    with pytest.raises(InvalidKey):
        store.records("paid_calls").write_bytes(name, b"")


def test_a_prefix_that_leaves_the_ledger_is_refused(store: ArtifactStore):
    with pytest.raises(InvalidKey):
        store.records("paid_calls").list_names("../")
