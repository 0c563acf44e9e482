"""The tables of speech: sound, words, speakers and acoustic features. Conventions as in `schemas.clips`.

Every time is on the clip's own clock, as the times of its pictures are. Levels are dB relative to full scale.
"""

import dataframely as dy

from vidassets.schemas.clips import KEY_PATTERN, ClipTable

TIMING = r"^(aligned|interpolated|decoder)$"
N_MFCC = 13


class AudioFacts(ClipTable):
    """The properties of a clip's sound and its problems; one row, also for a clip without sound."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    has_audio = dy.Bool(description="false: no audio stream, or nothing in it decodes; the FLAC is empty")
    stream_index = dy.Int32(nullable=True, min=0, description="index of the stream in the container")
    language = dy.String(nullable=True, description="language tag of the stream")
    codec = dy.String(nullable=True)
    source_sample_rate_hz = dy.Int32(nullable=True, min=1)
    source_channels = dy.Int32(nullable=True, min=1)
    source_layout = dy.String(nullable=True, description="ffmpeg's name of the channel layout: stereo, 5.1")
    channels = dy.Int32(min=1, description="channels of the FLAC: 1, or all of the source with `separate_channels`")
    start_s = dy.Float64(
        description="clip time of the FLAC's first sample: 0 unless the clip's clock begins far from 0"
    )
    duration_s = dy.Float64(min=0, description="duration of the FLAC")
    loudness_lufs = dy.Float64(
        nullable=True, description="integrated, ITU-R BS.1770, of all channels of the source; null: too short or silent"
    )
    peak_dbfs = dy.Float64(nullable=True, description="highest sample of the FLAC; null: digital silence")
    clipped_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="share of the source's samples that are at full scale, in runs of at least three",
    )
    silence_share = dy.Float64(
        nullable=True, min=0, max=1, description="share of the time between the first and the last sound that is silent"
    )
    snr_db = dy.Float64(nullable=True, description="estimated signal-to-noise ratio; null: no estimate is possible")
    holes = dy.List(
        dy.Struct({"start_s": dy.Float64(), "end_s": dy.Float64(), "cause": dy.String()}),
        description="stretches for which the container has no sound; the FLAC has silence in them",
    )
    problems = dy.List(
        dy.Struct({"code": dy.String(), "detail": dy.String()}), description="problems found while decoding"
    )


class SpeechScores(ClipTable):
    """The probability of speech in each short window. Thresholds are applied later."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    channel = dy.Int32(primary_key=True, min=0)
    window = dy.Int64(primary_key=True, min=0, description="0, 1, 2 …")
    start_s = dy.Float64()
    end_s = dy.Float64()
    score = dy.Float32(min=0, max=1)
    model = dy.String()


class SpeechActivity(ClipTable):
    """Stretches of speech: half-open, in order of time."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    channel = dy.Int32(primary_key=True, min=0)
    stretch = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in each channel")
    start_s = dy.Float64()
    end_s = dy.Float64()
    mean_score = dy.Float32(min=0, max=1)

    @dy.rule()
    def ends_after_it_starts(cls):  # noqa: D102, N805
        return cls.end_s.col > cls.start_s.col


class RecognizedSegments(ClipTable):
    """The text that the speech model recognised, by segment, without speakers. `Transcript` adds them."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    segment_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of time")
    channel = dy.Int32(min=0)
    start_s = dy.Float64()
    end_s = dy.Float64()
    text = dy.String()
    language = dy.String(nullable=True, description="ISO 639-1 code of the text, so `en` after translation")
    language_probability = dy.Float32(
        nullable=True, min=0, max=1, description="null: the language was set, or the model gives no figure"
    )
    confidence = dy.Float32(nullable=True, min=0, max=1, description="null: the model gives no useful figure")
    quality = dy.String(
        regex=r"^(draft|production)$", description="draft: good enough to find a passage, not to publish"
    )
    model = dy.String()


class RecognizedWords(ClipTable):
    """The words of `RecognizedSegments` and their times."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    word_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of segment and time")
    segment_index = dy.Int32(min=0, description="foreign key: RecognizedSegments")
    start_s = dy.Float64()
    end_s = dy.Float64()
    text = dy.String()
    confidence = dy.Float32(nullable=True, min=0, max=1)
    timing = dy.String(
        regex=TIMING, description="source of the times: forced alignment, between neighbours, or decoder"
    )


class SpeakerTurns(ClipTable):
    """Who speaks when. Turns may overlap; those of `exclusive_turns`, which has the same columns, do not."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    turn_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of start")
    start_s = dy.Float64()
    end_s = dy.Float64()
    speaker = dy.String(regex=r"^S\d+$", description="S0 is the first to speak, S1 the second …; valid in this clip")

    @dy.rule()
    def ends_after_it_starts(cls):  # noqa: D102, N805
        return cls.end_s.col > cls.start_s.col


class Speakers(ClipTable):
    """The speakers of a clip: how long each speaks, and the embedding of the voice."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    speaker = dy.String(primary_key=True, regex=r"^S\d+$")
    total_s = dy.Float64(min=0, description="total length of the speaker's turns")
    overlapped_s = dy.Float64(min=0, description="part of total_s during which somebody else speaks too")
    n_turns = dy.Int32(min=1)
    embedding = dy.List(
        dy.Float32(), nullable=True, description="voice embedding, unit length; null: too little speech"
    )
    count_basis = dy.String(regex=r"^(given|estimated|channels)$", description="source of the number of speakers")
    count_confidence = dy.Float32(
        nullable=True, min=0, max=1, description="confidence in the number of speakers; null: not estimated"
    )
    model = dy.String(description="embeddings of different models are not comparable")


class Transcript(ClipTable):
    """The recognised text, by segment; each segment has one speaker."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    segment_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of time")
    start_s = dy.Float64()
    end_s = dy.Float64()
    speaker = dy.String(nullable=True, description="foreign key: Speakers; null: no turn is near")
    text = dy.String()
    language = dy.String(nullable=True, description="ISO 639-1")
    confidence = dy.Float32(nullable=True, min=0, max=1)
    quality = dy.String(regex=r"^(draft|production)$")
    model = dy.String()


class TranscriptWords(ClipTable):
    """The words of `Transcript`."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    word_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of time")
    segment_index = dy.Int32(min=0, description="foreign key: Transcript")
    start_s = dy.Float64()
    end_s = dy.Float64()
    text = dy.String()
    confidence = dy.Float32(nullable=True, min=0, max=1)
    timing = dy.String(regex=TIMING)
    speaker = dy.String(nullable=True)


class VoiceBank(dy.Schema):
    """Voice embeddings of reference recordings of known people."""

    person = dy.String(primary_key=True)
    recording = dy.String(primary_key=True, description="file name within the person's folder")
    speech_s = dy.Float64(min=0)
    embedding = dy.List(dy.Float32(), description="voice embedding, unit length")
    model = dy.String()


class SpeakerDecisions(dy.Schema):
    """Names that people gave to speakers. Rows are only appended; the last decision on a speaker counts.

    A decision identifies a speaker by a moment at which nobody else speaks. This stays valid after a new clustering;
    the speaker's number does not.
    """

    clip = dy.String(regex=KEY_PATTERN)
    at_s = dy.Float64(description="a moment at which this speaker speaks")
    person = dy.String(nullable=True, description="null: removes an earlier name")
    decided_by = dy.String(nullable=True)


class SpeakerNames(ClipTable):
    """The person that each speaker was identified as."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    speaker = dy.String(primary_key=True, regex=r"^S\d+$")
    name = dy.String(description="the name shown everywhere: the person's, or Speaker 1, Speaker 2 …")
    person = dy.String(nullable=True, description="null: no known voice is similar enough")
    source = dy.String(nullable=True, regex=r"^(voice bank|decision)$")
    similarity = dy.Float32(
        nullable=True, min=-1, max=1, description="cosine, to the most similar person of the voice bank"
    )
    likest = dy.String(nullable=True, description="the most similar person, also if below the threshold")
    runner_up = dy.String(nullable=True)
    runner_up_similarity = dy.Float32(nullable=True, min=-1, max=1)
    threshold = dy.Float32(min=-1, max=1, description="least similarity that gives a name")
    model = dy.String()


class AcousticFrames(ClipTable):
    """Acoustic features of the sound every 10 ms, speech or not."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    channel = dy.Int32(primary_key=True, min=0)
    grid_index = dy.Int64(primary_key=True, min=0, description="0, 1, 2 … every 10 ms")
    pts_s = dy.Float64(
        description="middle of the 10 ms; the window is centred on it, or as near as the sound's ends allow"
    )
    f0_hz = dy.Float32(nullable=True, min=0, description="pitch; null where unvoiced")
    voiced_probability = dy.Float32(min=0, max=1)
    intensity_db = dy.Float32(description="dB relative to full scale; -120 for digital silence")
    harmonicity_db = dy.Float32(nullable=True, description="harmonics-to-noise ratio; null where silent")
    spectral_centroid_hz = dy.Float32(
        nullable=True, min=0, description="null for digital silence, as are the columns below"
    )
    spectral_rolloff_hz = dy.Float32(nullable=True, min=0, description="85 % of the energy is below this frequency")
    spectral_bandwidth_hz = dy.Float32(nullable=True, min=0)
    zero_crossing_rate = dy.Float32(min=0, max=1, description="share of neighbouring samples that differ in sign")
    mfcc = dy.Array(dy.Float32(), N_MFCC, nullable=True, description="mel-frequency cepstral coefficients 1 … 13")


class Acoustics(ClipTable):
    """The acoustic features of a stretch of speech, the same for words and segments."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    start_s = dy.Float64()
    end_s = dy.Float64()
    speaker = dy.String(nullable=True)
    f0_median_hz = dy.Float32(
        nullable=True, min=0, description="over the voiced windows, every 10 ms; null: no window is voiced"
    )
    f0_mean_hz = dy.Float32(nullable=True, min=0)
    f0_std_hz = dy.Float32(nullable=True, min=0)
    f0_min_hz = dy.Float32(nullable=True, min=0)
    f0_max_hz = dy.Float32(nullable=True, min=0)
    f0_range_semitones = dy.Float32(nullable=True, min=0, description="from lowest to highest pitch")
    f0_to_speaker_semitones = dy.Float32(nullable=True, description="median above the speaker's median in the clip")
    voiced_share = dy.Float32(nullable=True, min=0, max=1)
    intensity_mean_db = dy.Float32(nullable=True, description="level of the mean power")
    intensity_max_db = dy.Float32(nullable=True)
    intensity_to_speaker_db = dy.Float32(nullable=True, description="mean above the speaker's median in the clip")
    level = dy.String(nullable=True, regex=r"^(low|medium|high|emphasis)$", description="relative to the speaker")
    spectral_centroid_mean_hz = dy.Float32(
        nullable=True, min=0, description="over windows that are not silent, as below"
    )
    spectral_centroid_std_hz = dy.Float32(nullable=True, min=0)
    spectral_rolloff_mean_hz = dy.Float32(nullable=True, min=0)
    spectral_bandwidth_mean_hz = dy.Float32(nullable=True, min=0)
    zero_crossing_rate_mean = dy.Float32(nullable=True, min=0, max=1)
    mfcc_mean = dy.Array(dy.Float32(), N_MFCC, nullable=True)
    mfcc_std = dy.Array(dy.Float32(), N_MFCC, nullable=True)
    harmonicity_db = dy.Float32(nullable=True, description="mean over the voiced windows")
    speaking_rate_hz = dy.Float32(nullable=True, min=0, description="syllable nuclei per second")
    silence_share = dy.Float32(nullable=True, min=0, max=1)
    pause_before_s = dy.Float64(
        nullable=True, min=0, description="since the same speaker's last unit; null for the first"
    )
    pause_after_s = dy.Float64(nullable=True, min=0, description="to the same speaker's next unit; null for the last")


class WordAcoustics(Acoustics):
    """The acoustic features of every word of `TranscriptWords`."""

    word_index = dy.Int32(primary_key=True, min=0, description="foreign key: TranscriptWords")
    text = dy.String()


class SegmentAcoustics(Acoustics):
    """The acoustic features of every segment of `Transcript`."""

    segment_index = dy.Int32(primary_key=True, min=0, description="foreign key: Transcript")
