"""Artifacts that are gone, damaged or not recorded."""

from vidassets_tests.builders import CLIP_ASSETS, VIDEO, Home, changed, film, flat


def test_an_artifact_deleted_by_hand_is_made_again_and_nothing_else(finished: Home):
    before = finished.events()
    finished.store.delete("shots", "a")
    said = finished.command("status")
    assert "a missing: shots its artifact is gone from the store" in said.out
    assert finished.command("run").code == 0
    assert changed(before, finished.events()) == {"a": ["shots"]}


def test_a_stored_artifact_without_its_event_is_made_again(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    home.store.write_bytes("raw_clip", "a", "parquet", b"stored by a process that was killed before it reported")
    assert home.command("run", "--select", VIDEO).code == 0
    assert changed({}, home.events()) == {"a": CLIP_ASSETS}
    assert home.table("raw_clip", "a")["uri"].to_list() == [str(home.videos / "a.mp4")]


def test_a_damaged_artifact_is_named_with_the_command_that_fixes_it(finished: Home):
    finished.store.write_bytes("frames", "a", "parquet", b"not parquet")
    said = finished.command("run", "--clips", "a", "--select", "frame_descriptions", "--force")
    assert said.code == 1
    assert "cannot be read as Parquet" in said.out
    assert finished.command("run", "--clips", "a", "--select", "frames", "--force").code == 0
    assert finished.command("run").code == 0


def test_costs_that_cannot_be_read_are_a_failure_with_its_cause(home: Home):
    film(home.videos / "a.mp4")
    home.command("add", str(home.videos))
    home.store.records("paid_calls").write_bytes(f"00/{'0' * 64}.{'1' * 12}.ok.5.json", b"not JSON")
    said = home.command("run", "--select", f"{VIDEO},description_costs")
    assert said.code == 1
    assert "description_costs" in said.err
    assert "this object of the ledger of paid calls cannot be read" in flat(said.err)
