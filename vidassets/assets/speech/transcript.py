"""The assets of the transcript: which words are spoken, and by whom."""

from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.graph.artifact import StoredFile
from vidassets.graph.clip_asset import clip_asset
from vidassets.graph.declared_asset import AssetResult, Figure
from vidassets.graph.preview import picture
from vidassets.schemas import speech as speech_schemas

if TYPE_CHECKING:
    from vidassets.speech.models import SpeechModel


class Recognition(dg.Config, extra="forbid"):
    """What the speech recognition should do."""

    language: str | None = Field(
        default=None, min_length=2, description="ISO 639-1. None: detected by the model, if it can."
    )
    task: Literal["transcribe", "translate"] = Field(
        default="transcribe", description="Keep the spoken language, or translate to English."
    )
    initial_prompt: str | None = Field(default=None, description="Text that the decoder treats as preceding the clip.")
    hotwords: list[str] = Field(default=[], description="Names and terms to expect.")


@clip_asset(
    group="speech_transcript",
    kinds={"parquet"},
    version="1",
    schema=speech_schemas.RecognizedSegments,
    pool="speech_model",
    also={"recognized_words": speech_schemas.RecognizedWords},
)
def recognized_segments(
    clip: str, audio: StoredFile, speech_activity: pl.DataFrame, speech_model: "SpeechModel", config: Recognition
) -> AssetResult:
    """The text that the profile's model recognises in the stretches of speech; `recognized_words` has words and times.

    If no word is recognised, the tables are empty; if the model fails, the asset fails.
    """
    from vidassets.media.sound import Sound
    from vidassets.speech.models import RecognitionOptions

    options = RecognitionOptions(config.language, config.task, config.initial_prompt, tuple(config.hotwords))
    with audio.path() as path:
        recognized = speech_model.recognize(clip, Sound.open(path), speech_activity, options)
    metadata: dict[str, Any] = {"n_words": len(recognized.words)} | events_metadata(recognized.events)
    if len(recognized.segments):
        metadata |= {
            name: ", ".join(map(str, recognized.segments[name].drop_nulls().unique().sort()))
            for name in ("language", "quality", "model")
        }
        metadata |= {f"timing_{name}": n for name, n in recognized.words["timing"].value_counts().iter_rows()}
    return AssetResult(recognized.segments, metadata, also={"recognized_words": recognized.words})


def events_metadata(events: list[str]) -> dict[str, Any]:
    """Return the events as metadata of the materialisation; empty if there are none."""
    return {"events": dg.MetadataValue.md("\n".join(f"- {event}" for event in events))} if events else {}


class Attribution(dg.Config, extra="forbid"):
    """How words are attributed to speakers."""

    nearest_s: float = Field(
        default=0.4,
        ge=0,
        description="A word outside all turns belongs to the nearest turn, if it is no farther than this.",
    )


def _timeline(
    artifact: pl.DataFrame,
    transcript_words: pl.DataFrame,
    speaker_turns: pl.DataFrame,
    speakers: pl.DataFrame,
    audio_facts: pl.DataFrame,
) -> str:
    from vidassets.speech.shown_names import shown_names
    from vidassets.speech.subtitles.timeline_picture import draw_timeline

    if artifact.is_empty() and speaker_turns.is_empty():
        return "No speech was found in this clip."
    start_s, duration_s = audio_facts.select("start_s", "duration_s").row(0)
    names = shown_names(speakers, speech_schemas.SpeakerNames.create_empty())
    no_levels = speech_schemas.WordAcoustics.create_empty()
    png = draw_timeline(speaker_turns, artifact, transcript_words, no_levels, names, (start_s, start_s + duration_s))
    draft = "draft" in artifact["quality"]
    said = "\n".join(
        f"- {row['start_s']:.1f} s **{names.get(row['speaker'], 'no speaker nearby')}**: {row['text']}"
        for row in artifact.head(SEGMENTS_SHOWN).iter_rows(named=True)
    )
    note = "Draft quality: good enough to find a passage, not to publish.\n\n" if draft else ""
    return f"{picture(png, 'speakers and words over time')}\n\n{note}{said}"


SEGMENTS_SHOWN = 30


@clip_asset(
    group="speech_transcript",
    kinds={"parquet"},
    version="1",
    schema=speech_schemas.Transcript,
    also={"transcript_words": speech_schemas.TranscriptWords},
    preview=_timeline,
    figures=[Figure("words", "n_words")],
)
def transcript(
    clip: str,
    recognized_segments: pl.DataFrame,
    recognized_words: pl.DataFrame,
    exclusive_turns: pl.DataFrame,
    speaker_turns: pl.DataFrame,
    speakers: pl.DataFrame,
    audio_facts: pl.DataFrame,
    config: Attribution,
) -> AssetResult:
    """What is said and by whom: segments of one speaker each; `transcript_words` has the single words."""
    from vidassets.speech.transcript.transcript import attribute_words

    segments, words = attribute_words(clip, recognized_segments, recognized_words, exclusive_turns, config.nearest_s)
    metadata = {"n_words": len(words), "words_without_a_speaker": words["speaker"].null_count()}
    return AssetResult(segments, metadata, also={"transcript_words": words})
