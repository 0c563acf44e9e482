"""WhisperX as a speech model: voice activity, recognition in batches, words aligned with the sound.

It runs in an interpreter of its own (requirements/speech.txt). Long sound is never in memory as a whole.
"""

from pydantic import Field

from vidassets.resources.speech_worker import WorkerModel

# A multiple of the activity model's window (0.5 s) and frame (270 samples): blocks cut there get the same scores.
ACTIVITY_UNIT_SAMPLES = 216_000
ACTIVITY_UNITS = 8
ACTIVITY_MODEL = "pyannote segmentation of whisperx"
LANGUAGE_WINDOWS = 3  # chosen here: a single window may contain a quotation or a song


class WhisperXSpeech(WorkerModel, extra="forbid"):
    """WhisperX: Whisper in batches by faster-whisper, words aligned by wav2vec 2.0, activity by pyannote's network."""

    model: str = Field(
        default="large-v3", min_length=1, description="name on the hub, or folder of a Whisper model for CTranslate2"
    )
    cpu_fallback: bool = Field(
        default=False, description="use the CPU if there is no GPU or its memory is too small; recorded"
    )
    compute_type: str = Field(
        default="default",
        pattern=r"^(default|auto|float32|float16|bfloat16|int8|int8_float32|int8_float16|int8_bfloat16|int16)$",
        description="CTranslate2's compute type; default: float16 on a GPU, float32 on a CPU",
    )
    batch_size: int = Field(
        default=16, ge=1, le=512, description="windows per batch; halved if it does not fit into the GPU's memory"
    )
    beam_size: int = Field(default=5, ge=1, le=64, description="hypotheses that the decoder keeps")
    window_s: float = Field(
        default=30.0, ge=5, le=30, description="longest stretch recognised in one piece, s; Whisper takes at most 30 s"
    )
    align: bool = Field(default=True, description="align words with the sound; otherwise their times are interpolated")
    alignment_models: dict[str, str] = Field(
        default={}, description="folder or hub name by ISO 639-1, instead of WhisperX's default for the language"
    )
