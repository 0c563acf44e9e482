"""Cost of WhisperX and pyannote: python -m benchmarks.speech_production --python .venv-speech/bin/python [--tiny]

Data: generated hum of two pitches (some minutes), all of it treated as speech, so that nothing is skipped. Models:
random weights of the true sizes (Whisper large-v3, wav2vec 2.0 base, pyannote's networks), which cost as much as
trained ones; Whisper produces a hundred tokens per 30 s, from a vocabulary of 2,000 instead of 51,866. `--tiny` is a
dry run on any machine. Seconds are wall time with models loaded; memory and utilisation are of the whole GPU, by
nvidia-smi.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vidassets.resources import model_cache
from vidassets.resources.pyannote_speakers import PyannoteSpeakers
from vidassets.resources.whisperx_speech import WhisperXSpeech
from vidassets.speech.models import RecognitionOptions, SpeakerOptions
from vidassets_tests.speech_production.conftest import FOLDER, activity_of, two_voices

QUERY = ["nvidia-smi", "--query-gpu=memory.used,utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]


class Gpu:
    """Measures the highest memory and the mean utilisation of the GPU; nothing if there is no GPU."""

    def __enter__(self) -> "Gpu":
        self.seen: list[tuple[int, int]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        if shutil.which(QUERY[0]):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def cells(self) -> list[str]:
        """Return memory and utilisation, for a table."""
        if not self.seen:
            return ["–", "–"]
        memory_mb, busy = zip(*self.seen, strict=True)
        return [f"{max(memory_mb) / 1024:.1f}", f"{sum(busy) / len(busy):.0f} %"]

    def _look(self) -> None:
        while not self._done.wait(0.25):
            memory, busy = subprocess.run(QUERY, capture_output=True, text=True, check=True).stdout.split(",")
            self.seen.append((int(memory), int(busy)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=".venv-speech/bin/python", help="interpreter with requirements/speech.txt")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tiny", action="store_true", help="tiny models: a dry run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measured(Path(folder), options)
    model_cache.free()
    Console().print(table)


def measured(folder: Path, options: argparse.Namespace) -> Table:
    """Return a table with a row per step; each step runs once before, to load the models."""
    size = [] if options.tiny else ["true"]
    subprocess.run([options.python, "-I", FOLDER / "checkpoints.py", folder, *size], check=True, stdout=sys.stderr)
    sound = two_voices(folder / "talk.flac", seconds=60 * options.minutes)
    activity = activity_of(*((start, min(start + 30, sound.end_s)) for start in range(0, int(sound.end_s), 30)))
    shared = {"python": options.python, "device": options.device}
    speech = WhisperXSpeech(
        **shared,
        model=str(folder / "whisper"),
        batch_size=options.batch,
        alignment_models={"en": str(folder / "align")},
    )
    speakers = PyannoteSpeakers(**shared, model=str(folder / "diarization"), batch_size=options.batch)
    kept: dict[str, bytes] = {}
    english = RecognitionOptions(language="en")
    steps: dict[str, Callable[[], object]] = {
        "activity": lambda: speech.score_speech("talk", sound),
        "recognition and alignment": lambda: speech.recognize("talk", sound, activity, english),
        "voices": lambda: kept.update(voices=speakers.infer_voices("talk", sound, activity)),
        "turns": lambda: speakers.cluster_voices("talk", kept["voices"], SpeakerOptions(n_speakers=2)),
    }
    short = two_voices(folder / "short.flac", seconds=12.0)
    speech.score_speech("talk", short)
    speech.recognize("talk", short, activity_of((0.0, 12.0)), english)
    speakers.infer_voices("talk", short, activity)
    used = speech.execution()
    title = f"{options.minutes:g} min on {used['device']}, {used['compute_type']}, batch {used['batch_size']}"
    table = Table("step", "s", "× real time", "GPU memory, GB", "GPU busy", title=title)
    for name, step in steps.items():
        with Gpu() as gpu:
            started = time.perf_counter()
            step()
            seconds = time.perf_counter() - started
        table.add_row(name, f"{seconds:.1f}", f"{sound.duration_s / seconds:.0f}", *gpu.cells())
    return table


if __name__ == "__main__":
    main()
