"""Names for voices: by recordings of people, by what a person decided, and not otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from soundfile import write

from vidassets.media.sound import SAMPLE_RATE_HZ
from vidassets.schemas.speech import VoiceBank
from vidassets_tests.assets.clip_deployment import ALL
from vidassets_tests.assets.speech.spoken_clips import CHAIN, Heard, SpokenClips, sentence, talking_film

CLIP = "two-voices"
GRACE, EILEEN = "Grace Hopper", "Eileen Collins"
NAMES = {"speaker_names", "subtitles", "subtitles_srt", "subtitles_ass", "speech_document"}
# Grace speaks first; here Eileen does.
EILEEN_AT_S = 3.0


@dataclass(frozen=True)
class Day:
    """What a run made, and who the speakers are after it: person and source."""

    heard: Heard
    people: list[tuple[str | None, str | None]]


def record(folder: Path, person: str, recording: str, *sentences: str) -> None:
    (folder / person).mkdir(parents=True, exist_ok=True)
    write(folder / person / recording, np.concatenate([sentence(name) for name in sentences]), SAMPLE_RATE_HZ)


def decide(table: Path, *rows: str) -> None:
    table.write_text("\n".join(["clip,at_s,person,decided_by", *rows]) + "\n")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Day]]:
    folder = tmp_path_factory.mktemp("named")
    bank, table, days = folder / "bank", folder / "decisions.csv", dict[str, Day]()
    with SpokenClips.at(folder) as clips:

        def day(name: str, select: str = "*speaker_names", **settings: dict) -> None:
            clips.set(**settings)
            heard = clips.run(select)
            days[name] = Day(heard, clips.table("speaker_names", CLIP).select("person", "source").rows())

        talking_film(clips.videos / f"{CLIP}.mkv", np.concatenate([sentence("story"), sentence("ninety")]))
        clips.add()
        record(bank, GRACE, "one.wav", "fly")
        record(bank, EILEEN, "one.wav", "nobody")
        day("a bank", CHAIN, voice_bank={"folder": str(bank)}, speaker_turns={"n_speakers": 2})
        day("strict", speaker_names={"threshold": 0.99})
        record(bank, EILEEN, "one.wav", "nobody", "welcome")
        day("another recording", CHAIN, speaker_names={"threshold": 0.8})
        decide(table, f"{CLIP},{EILEEN_AT_S},The Commander,a reader")
        day("decided", speaker_decisions={"table": str(table)})
        day("decided, one speaker", speaker_turns={"n_speakers": 1})
        decide(table, f"{CLIP},{EILEEN_AT_S},The Commander,a reader", f"{CLIP},{EILEEN_AT_S},,a reader")
        day("taken back", speaker_turns={"n_speakers": 2})
        record(folder / "elsewhere", EILEEN, "secret.wav", "nobody")
        (bank / EILEEN / "linked.wav").symlink_to(folder / "elsewhere" / EILEEN / "secret.wav")
        day("a link out of the bank")
        (bank / EILEEN / "linked.wav").unlink()
        table.write_text("clip,when\na,1\n")
        day("no such columns")
        decide(table)
        other = clips.table("voice_bank").with_columns(model=pl.lit("another net"))
        clips.store.write_table("voice_bank", ALL, other, VoiceBank)
        day("another model")
        yield days


def test_both_are_named_by_their_recordings(days: dict[str, Day]):
    assert days["a bank"].people == [(GRACE, "voice bank"), (EILEEN, "voice bank")]


def test_below_the_threshold_nobody_is_named(days: dict[str, Day]):
    assert days["strict"].heard.made == {CLIP: {"speaker_names"}}
    assert days["strict"].people == [(None, None)] * 2


def test_another_recording_makes_the_bank_again_and_the_names_with_what_hangs_on_them(days: dict[str, Day]):
    assert days["another recording"].heard.made == {ALL: {"voice_bank"}, CLIP: NAMES}
    assert days["another recording"].people == days["a bank"].people


def test_what_a_person_decides_stands_above_the_bank(days: dict[str, Day]):
    assert days["decided"].heard.made == {ALL: {"speaker_decisions"}, CLIP: {"speaker_names"}}
    assert days["decided"].people == [(GRACE, "voice bank"), ("The Commander", "decision")]


def test_a_decision_outlives_another_number_of_speakers(days: dict[str, Day]):
    assert days["decided, one speaker"].people == [("The Commander", "decision")]


def test_a_name_taken_back_leaves_nobody(days: dict[str, Day]):
    assert days["taken back"].people == [(GRACE, "voice bank"), (None, "decision")]


def test_a_table_that_holds_no_decisions_fails_and_reports_its_columns(days: dict[str, Day]):
    failed = days["no such columns"].heard.failed
    assert set(failed) == {("speaker_decisions", ALL)}
    assert "columns clip, at_s, person" in failed["speaker_decisions", ALL]


def test_a_link_that_leads_out_of_the_bank_is_refused_by_name(days: dict[str, Day]):
    failed = days["a link out of the bank"].heard.failed
    assert set(failed) == {("voice_bank", ALL)}
    assert "linked.wav: a link that leads out of the voice bank" in failed["voice_bank", ALL]


def test_a_bank_of_another_model_fails_and_reports_the_fix(days: dict[str, Day]):
    failed = days["another model"].heard.failed
    assert set(failed) == {("speaker_names", CLIP)}
    assert failed["speaker_names", CLIP].startswith("EmbeddingMismatch: ")
    assert "another net" in failed["speaker_names", CLIP]
    assert "materialise `voices`" in failed["speaker_names", CLIP]
