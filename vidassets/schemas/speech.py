"""The tables of speech: sound, words, speakers, how it sounds. Conventions as in `schemas.py`.

Every time is on the clip's own clock, like those of its pictures. Levels are dB relative to full scale.
"""

import dataframely as dy

from vidassets.schemas.clips import KEY_PATTERN, ClipTable

TIMING = r"^(aligned|interpolated|decoder)$"
N_MFCC = 13


class AudioFacts(ClipTable):
    """What a clip's sound is, and what is wrong with it; one row, also where there is none."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    has_audio = dy.Bool(description="false: no audio stream, or none of it decodes; the FLAC is empty")
    stream_index = dy.Int32(nullable=True, min=0, description="of the container")
    language = dy.String(nullable=True, description="tag of the stream")
    codec = dy.String(nullable=True)
    source_sample_rate_hz = dy.Int32(nullable=True, min=1)
    source_channels = dy.Int32(nullable=True, min=1)
    source_layout = dy.String(nullable=True, description="as ffmpeg names it: stereo, 5.1")
    channels = dy.Int32(min=1, description="of the FLAC: 1, or one per person where that was asked for")
    start_s = dy.Float64(description="the clip's time at the FLAC's first sample: 0 unless its clock begins far from 0")
    duration_s = dy.Float64(min=0, description="of the FLAC")
    loudness_lufs = dy.Float64(nullable=True, description="integrated, ITU-R BS.1770; null: too short or silent")
    peak_dbfs = dy.Float64(nullable=True, description="highest sample; null: digital silence")
    clipped_share = dy.Float64(nullable=True, min=0, max=1, description="samples at full scale, in runs")
    silence_share = dy.Float64(nullable=True, min=0, max=1, description="of the time between first and last sound")
    snr_db = dy.Float64(nullable=True, description="estimate; null where there is nothing to estimate it from")
    holes = dy.List(
        dy.Struct({"start_s": dy.Float64(), "end_s": dy.Float64(), "cause": dy.String()}),
        description="stretches without sound in the container: filled with silence",
    )
    problems = dy.List(dy.Struct({"code": dy.String(), "detail": dy.String()}), description="what was found wrong")


class SpeechScores(ClipTable):
    """How likely each short window holds speech. Thresholds are applied later."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    channel = dy.Int32(primary_key=True, min=0)
    window = dy.Int64(primary_key=True, min=0, description="0, 1, 2 …")
    start_s = dy.Float64()
    end_s = dy.Float64()
    score = dy.Float32(min=0, max=1)
    model = dy.String()


class SpeechActivity(ClipTable):
    """Stretches of speech, half-open, in order."""

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
    """What the speech model heard, stretch by stretch; who said it is found later (`Transcript`)."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    segment_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of time")
    channel = dy.Int32(min=0)
    start_s = dy.Float64()
    end_s = dy.Float64()
    text = dy.String()
    language = dy.String(nullable=True, description="ISO 639-1; of the text, so `en` after translation")
    language_probability = dy.Float32(nullable=True, min=0, max=1, description="null where it was given, or not judged")
    confidence = dy.Float32(nullable=True, min=0, max=1, description="null where the model has none worth having")
    quality = dy.String(regex=r"^(draft|production)$", description="draft: to find a passage by, not to publish")
    model = dy.String()


class RecognizedWords(ClipTable):
    """The words of `RecognizedSegments`, with times."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    word_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of segment and time")
    segment_index = dy.Int32(min=0, description="foreign key: RecognizedSegments")
    start_s = dy.Float64()
    end_s = dy.Float64()
    text = dy.String()
    confidence = dy.Float32(nullable=True, min=0, max=1)
    timing = dy.String(regex=TIMING, description="by forced alignment, between its neighbours, or by the decoder")


class SpeakerTurns(ClipTable):
    """Who speaks when. Two turns may hold the same moment; of `exclusive_turns`, which has these columns, none do."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    turn_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of start")
    start_s = dy.Float64()
    end_s = dy.Float64()
    speaker = dy.String(regex=r"^S\d+$", description="S0 speaks first, S1 next …; the same voice within one clip")

    @dy.rule()
    def ends_after_it_starts(cls):  # noqa: D102, N805
        return cls.end_s.col > cls.start_s.col


class Speakers(ClipTable):
    """The voices of a clip."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    speaker = dy.String(primary_key=True, regex=r"^S\d+$")
    total_s = dy.Float64(min=0, description="of its turns")
    overlapped_s = dy.Float64(min=0, description="of these, while another speaks too")
    n_turns = dy.Int32(min=1)
    embedding = dy.List(dy.Float32(), nullable=True, description="of its voice, unit length; null: too little to go by")
    count_basis = dy.String(regex=r"^(given|estimated|channels)$", description="where the number of speakers is from")
    count_confidence = dy.Float32(
        nullable=True, min=0, max=1, description="in the number of speakers; null: not judged"
    )
    model = dy.String(description="embeddings of different models are not comparable")


class Transcript(ClipTable):
    """What is said, stretch by stretch of one speaker."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    segment_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in order of time")
    start_s = dy.Float64()
    end_s = dy.Float64()
    speaker = dy.String(nullable=True, description="foreign key: Speakers; null where no turn is near")
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
    """Reference recordings of people's voices."""

    person = dy.String(primary_key=True)
    recording = dy.String(primary_key=True, description="file name within the person's folder")
    speech_s = dy.Float64(min=0)
    embedding = dy.List(dy.Float32(), description="of the voice, unit length")
    model = dy.String()


class SpeakerDecisions(dy.Schema):
    """What people said of speakers, in order; never changed, only added to. The last word on a speaker counts.

    A speaker is told by a moment at which it alone speaks, which outlives a new clustering; its number does not.
    """

    clip = dy.String(regex=KEY_PATTERN)
    at_s = dy.Float64(description="a moment at which the speaker speaks")
    person = dy.String(nullable=True, description="null takes an earlier name back")
    decided_by = dy.String(nullable=True)


class SpeakerNames(ClipTable):
    """Whose voice each speaker is."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    speaker = dy.String(primary_key=True, regex=r"^S\d+$")
    person = dy.String(nullable=True, description="null where nobody is alike enough")
    source = dy.String(nullable=True, regex=r"^(voice bank|decision)$")
    similarity = dy.Float32(nullable=True, min=-1, max=1, description="cosine, to the likest person of the voice bank")
    likest = dy.String(nullable=True, description="that person, also where it is not given the name")
    runner_up = dy.String(nullable=True)
    runner_up_similarity = dy.Float32(nullable=True, min=-1, max=1)
    threshold = dy.Float32(min=-1, max=1, description="of the similarity")
    model = dy.String()


class AcousticFrames(ClipTable):
    """How it sounds every 10 ms, speech or not."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    channel = dy.Int32(primary_key=True, min=0)
    grid_index = dy.Int64(primary_key=True, min=0, description="0, 1, 2 … every 10 ms")
    pts_s = dy.Float64(description="the middle of its 10 ms; the window is around it, or the nearest within the sound")
    f0_hz = dy.Float32(nullable=True, min=0, description="pitch; null where unvoiced")
    voiced_probability = dy.Float32(min=0, max=1)
    intensity_db = dy.Float32(description="dB relative to full scale; -120 for digital silence")
    harmonicity_db = dy.Float32(nullable=True, description="harmonics to noise; null where silent")
    spectral_centroid_hz = dy.Float32(nullable=True, min=0, description="null for digital silence, like all below it")
    spectral_rolloff_hz = dy.Float32(nullable=True, min=0, description="85 % of the energy lies below")
    spectral_bandwidth_hz = dy.Float32(nullable=True, min=0)
    zero_crossing_rate = dy.Float32(min=0, max=1, description="share of neighbouring samples that change sign")
    mfcc = dy.Array(dy.Float32(), N_MFCC, nullable=True, description="mel-frequency cepstral coefficients 1 … 13")


class Acoustics(ClipTable):
    """How a stretch of speech sounds: what its word and its segment are described by alike."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    start_s = dy.Float64()
    end_s = dy.Float64()
    speaker = dy.String(nullable=True)
    f0_median_hz = dy.Float32(
        nullable=True, min=0, description="of its windows every 10 ms that are voiced; null: none is"
    )
    f0_mean_hz = dy.Float32(nullable=True, min=0)
    f0_std_hz = dy.Float32(nullable=True, min=0)
    f0_min_hz = dy.Float32(nullable=True, min=0)
    f0_max_hz = dy.Float32(nullable=True, min=0)
    f0_range_semitones = dy.Float32(nullable=True, min=0, description="from its lowest to its highest")
    f0_to_speaker_semitones = dy.Float32(nullable=True, description="its median to the speaker's median in the clip")
    voiced_share = dy.Float32(nullable=True, min=0, max=1)
    intensity_mean_db = dy.Float32(nullable=True, description="of the mean power")
    intensity_max_db = dy.Float32(nullable=True)
    intensity_to_speaker_db = dy.Float32(nullable=True, description="its mean to the speaker's median in the clip")
    level = dy.String(nullable=True, regex=r"^(low|medium|high|emphasis)$", description="relative to the speaker")
    spectral_centroid_mean_hz = dy.Float32(nullable=True, min=0, description="like all below: over what is not silent")
    spectral_centroid_std_hz = dy.Float32(nullable=True, min=0)
    spectral_rolloff_mean_hz = dy.Float32(nullable=True, min=0)
    spectral_bandwidth_mean_hz = dy.Float32(nullable=True, min=0)
    zero_crossing_rate_mean = dy.Float32(nullable=True, min=0, max=1)
    mfcc_mean = dy.Array(dy.Float32(), N_MFCC, nullable=True)
    mfcc_std = dy.Array(dy.Float32(), N_MFCC, nullable=True)
    harmonicity_db = dy.Float32(nullable=True, description="mean over what is voiced")
    speaking_rate_hz = dy.Float32(nullable=True, min=0, description="syllable nuclei a second")
    silence_share = dy.Float32(nullable=True, min=0, max=1)
    pause_before_s = dy.Float64(nullable=True, min=0, description="since the same speaker's last; null for the first")
    pause_after_s = dy.Float64(nullable=True, min=0, description="until the same speaker's next; null for the last")


class WordAcoustics(Acoustics):
    """How every word of `TranscriptWords` sounds."""

    word_index = dy.Int32(primary_key=True, min=0, description="foreign key: TranscriptWords")
    text = dy.String()


class SegmentAcoustics(Acoustics):
    """How every segment of `Transcript` sounds."""

    segment_index = dy.Int32(primary_key=True, min=0, description="foreign key: Transcript")
