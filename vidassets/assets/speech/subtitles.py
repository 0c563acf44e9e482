"""The assets that people read: subtitles in the formats of players, and one document with a clip's whole speech."""

from typing import TYPE_CHECKING, Annotated

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.sources.clip_file import ClipFile
from vidassets.graph.artifact import Blob
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.parameters import IdentityOnly, SecondsOf
from vidassets.graph.preview import picture

if TYPE_CHECKING:
    from vidassets.speech.models import SpeakerModel, SpeechModel


# The assets whose computing times add up to the document's `processing_s`.
TIMED = (
    "audio",
    "speech_scores",
    "speech_activity",
    "recognized_segments",
    "voices",
    "speaker_turns",
    "speaker_names",
    "transcript",
    "acoustic_frames",
    "word_acoustics",
)


class SubtitleLines(dg.Config, extra="forbid"):
    """How much text a cue shows, and for how long. The defaults are Netflix's for English."""

    max_chars_per_line: int = Field(default=42, ge=8, description="Use 16 for Chinese, 13 for Japanese.")
    max_lines: int = Field(default=2, ge=1, description="Lines per cue.")
    max_chars_per_s: float = Field(
        default=20.0, ge=1, description="Reading speed, unless the speech leaves no time for it."
    )
    min_duration_s: float = Field(default=5 / 6, gt=0, description="Of a cue, unless the speech leaves no time for it.")
    max_duration_s: float = Field(default=7.0, gt=0, description="Longer cues are split.")
    pause_s: float = Field(default=1.0, ge=0, description="A cue is split at silences of this length.")
    raised_semitones: float = Field(
        default=4.0, ge=0, description="Words this far above the speaker's median pitch are marked as raised."
    )
    offset_s: float = Field(
        default=0.0, description="Clip time at which the player's clock is 0. 0 is right for browsers and VLC."
    )


def _timeline(
    artifact: bytes,
    transcript: pl.DataFrame,
    transcript_words: pl.DataFrame,
    word_acoustics: pl.DataFrame,
    speaker_turns: pl.DataFrame,
    speakers: pl.DataFrame,
    speaker_names: pl.DataFrame,
    audio_facts: pl.DataFrame,
) -> str:
    from vidassets.speech.shown_names import shown_names
    from vidassets.speech.subtitles.timeline_picture import draw_timeline

    if transcript.is_empty():
        return "This clip contains no speech, so its subtitles are empty."
    start_s, duration_s = audio_facts.select("start_s", "duration_s").row(0)
    names = shown_names(speakers, speaker_names)
    png = draw_timeline(
        speaker_turns, transcript, transcript_words, word_acoustics, names, (start_s, start_s + duration_s)
    )
    lines = artifact.decode().splitlines()
    first = next((number for number, line in enumerate(lines) if "-->" in line), 0) - 1
    return (
        f"{picture(png, 'speakers, words and levels over time')}\n\n```\n"
        + "\n".join(lines[max(first, 0) : first + 40])
        + "\n```"
    )


@clip_asset(
    group="speech_subtitles",
    kinds={"vtt"},
    version="2",
    extension="vtt",
    also={
        "subtitles_srt": Blob("srt", "The subtitles as SubRip."),
        "subtitles_ass": Blob("ass", "The subtitles as ASS, with karaoke timing and emphasis by loudness and pitch."),
    },
    preview=_timeline,
)
def subtitles(
    clip: str,
    raw_clip: ClipFile,
    transcript: pl.DataFrame,
    transcript_words: pl.DataFrame,
    word_acoustics: pl.DataFrame,
    speaker_turns: pl.DataFrame,
    speakers: pl.DataFrame,
    speaker_names: pl.DataFrame,
    audio_facts: pl.DataFrame,
    config: SubtitleLines,
) -> AssetResult:
    """The subtitles as WebVTT, with voice tags, word times and emphasis. Cues are readable and never overlap."""
    from vidassets.speech.shown_names import shown_names
    from vidassets.speech.subtitles.ass import format_ass
    from vidassets.speech.subtitles.cue import SubtitleStyle
    from vidassets.speech.subtitles.cue_layout import lay_out_cues
    from vidassets.speech.subtitles.emphasis import emphasis_classes
    from vidassets.speech.subtitles.srt import format_srt
    from vidassets.speech.subtitles.webvtt import format_webvtt

    style = SubtitleStyle(**config.model_dump(exclude={"raised_semitones", "offset_s"}))
    # The clip ends with its last picture or its last sound.
    sound = audio_facts.row(0, named=True)
    span_s = (sound["start_s"], max(sound["start_s"] + sound["duration_s"], raw_clip.end_s))
    cues = lay_out_cues(transcript, transcript_words, style, span_s)
    names = shown_names(speakers, speaker_names)
    emphasis = emphasis_classes(word_acoustics, config.raised_semitones)
    quality = transcript["quality"].unique().to_list()
    note = f"{', '.join(transcript['model'].unique().sort())}: {', '.join(quality)} quality" if quality else ""
    size = (raw_clip.row["width"] or 1280, raw_clip.row["height"] or 720)
    also = {
        "subtitles_srt": format_srt(cues, config.offset_s).encode(),
        "subtitles_ass": format_ass(cues, names, emphasis, size, config.offset_s).encode(),
    }
    return AssetResult(
        format_webvtt(cues, names, emphasis, note, config.offset_s).encode(), {"cues": len(cues)}, also=also
    )


@clip_asset(
    group="speech_subtitles",
    kinds={"json"},
    version="1",
    extension="json",
)
def speech_document(
    clip: str,
    audio_facts: pl.DataFrame,
    transcript: pl.DataFrame,
    transcript_words: pl.DataFrame,
    speakers: pl.DataFrame,
    speaker_names: pl.DataFrame,
    word_acoustics: pl.DataFrame,
    segment_acoustics: pl.DataFrame,
    speech_model: Annotated["SpeechModel", IdentityOnly()],
    speaker_model: Annotated["SpeakerModel", IdentityOnly()],
    processing_s: Annotated[float, SecondsOf(TIMED)],
) -> bytes:
    """The clip's whole speech in one JSON document: speakers, segments, words and their acoustic features.

    Its JSON Schema is `vidassets/speech/subtitles/speech_document.schema.json`.
    """
    from vidassets.speech.subtitles.speech_document import SpeechTables, build_document

    tables = SpeechTables(
        audio_facts, transcript, transcript_words, speakers, speaker_names, word_acoustics, segment_acoustics
    )
    models = {"recognition": speech_model.identity(), "speakers": speaker_model.identity()}
    return build_document(clip, tables, models, processing_s)
