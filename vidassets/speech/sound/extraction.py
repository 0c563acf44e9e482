"""Extract a clip's sound from its file as a FLAC, and describe it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from vidassets.media.audio import AudioTrack, decode_audio
from vidassets.media.opening import StorageOptions
from vidassets.media.problems import Problem
from vidassets.media.sound import Sound, SoundWriter
from vidassets.schemas.speech import AudioFacts
from vidassets.speech.sound.levels import measure_levels


def extract_audio(
    clip: str,
    uri: str,
    output: Path,
    *,
    stream: int | str | None = None,
    separate_channels: bool = False,
    storage_options: StorageOptions | None = None,
) -> pl.DataFrame:
    """Write the sound to `output`, completely or not at all, and return a row of `speech_schemas.AudioFacts`.

    If the file has no sound, or nothing in it decodes, the FLAC has no sound and `has_audio` is false. Memory is
    bounded.

    Raises:
        VidassetsError: as `media.audio.decode_audio` raises it.
    """
    problems: list[Problem] = []
    facts: dict[str, Any] = dict.fromkeys(AudioFacts.column_names())
    options: Any = {"stream": stream, "separate_channels": separate_channels, "storage_options": storage_options}
    with decode_audio(uri, problems.append, **options) as track:
        with SoundWriter(output, track.channels if track else 1, track.start_s if track else 0.0) as writer:
            for block in track.blocks() if track else ():
                writer.write(block)
        holes = [asdict(hole) for hole in track.holes] if track else []
        facts |= _source_facts(track) if track else {}
    sound = Sound.open(output)
    facts |= {
        "clip": clip,
        "has_audio": sound.n_samples > 0,
        "channels": sound.channels,
        "start_s": sound.start_s,
        "duration_s": sound.duration_s,
        **measure_levels(sound),
        "holes": holes,
        "problems": [asdict(problem) for problem in problems],
    }
    return AudioFacts.validate(pl.DataFrame([facts], schema=AudioFacts.create_empty().schema))


def _source_facts(track: AudioTrack) -> dict[str, Any]:
    stream = track.stream
    return {
        "stream_index": stream.index,
        "language": None if stream.language == "und" else stream.language,
        "codec": stream.codec_context.codec.canonical_name,
        "source_sample_rate_hz": stream.sample_rate or None,
        "source_channels": stream.channels or None,
        "source_layout": stream.layout.name,
        "clipped_share": track.clipping.share,
        "loudness_lufs": track.loudness.integrated_lufs,
    }
