"""Make the sample videos, their truth and their sidecars, or check that they are still what this script makes.

    python samples/make_samples.py           # writes samples/episodes, samples/clips, samples/builds
    python samples/make_samples.py --check   # writes nothing; exit code 1 if something differs

Needs what requirements/samples.txt lists, and the program flite.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from build import build_high_flow, build_low_flow
from clip import clip
from episode import episode
from numpy.typing import NDArray
from recording import SAMPLE_RATE_HZ, Recording, dump_truth, write_recording

FOLDER = Path(__file__).parent
RECORDINGS: tuple[Callable[[], Recording], ...] = (episode, clip, build_low_flow, build_high_flow)

# Tolerances for encoding and for other releases of the drawing library. Chosen here: a frame that is one frame late, or
# a sentence that starts 10 ms late, exceeds them.
PICTURE_TOLERANCE = 8.0  # mean absolute difference of a frame, of 255
SOUND_TOLERANCE = 0.25  # RMS of the difference over RMS of the sound


def make(recording: Recording) -> None:
    """Write the video, NAME.truth.json and, if there is one, the sidecar NAME.json."""
    path = FOLDER / recording.path
    path.parent.mkdir(parents=True, exist_ok=True)
    write_recording(recording, path)
    path.with_suffix(".truth.json").write_text(dump_truth(recording.full_truth()))
    if recording.sidecar:
        path.with_suffix(".json").write_text(json.dumps(_sidecar(recording, path), indent=2) + "\n")


def differences(recording: Recording) -> Iterator[str]:
    """Yield a sentence for each difference between the files on disk and what `make` would write."""
    path = FOLDER / recording.path
    if not path.exists():
        yield f"{path}: missing; run make_samples.py without --check."
        return
    wanted = {path.with_suffix(".truth.json"): recording.full_truth()}
    if recording.sidecar:
        wanted[path.with_suffix(".json")] = _sidecar(recording, path)
    for file, content in wanted.items():
        if not file.exists() or json.loads(file.read_text()) != json.loads(json.dumps(content)):
            yield f"{file}: not what this script makes; run it without --check, or undo the edit."
    yield from _picture_differences(recording, path)
    if recording.sound is not None:
        kept, wanted_sound = _decoded_sound(path, len(recording.sound)), recording.sound
        error = float(np.sqrt(np.mean((kept - wanted_sound) ** 2) / np.mean(wanted_sound**2)))
        if error > SOUND_TOLERANCE:
            yield f"{path}: its sound is off by {error:.2f} of its RMS; at most {SOUND_TOLERANCE}."


def _picture_differences(recording: Recording, path: Path) -> Iterator[str]:
    n_frames = 0
    with av.open(str(path)) as container:
        for frame, picture in enumerate(container.decode(video=0)):
            n_frames += 1
            if frame >= recording.n_frames:
                continue
            drawn = recording.picture(frame).astype(np.int16)
            error = float(np.abs(picture.to_ndarray(format="bgr24") - drawn).mean())
            if error > PICTURE_TOLERANCE:
                yield f"{path}: frame {frame} is off by {error:.1f} of 255 on average; at most {PICTURE_TOLERANCE}."
    if n_frames != recording.n_frames:
        yield f"{path}: {n_frames} frames instead of {recording.n_frames}."


def _decoded_sound(path: Path, n_samples: int) -> NDArray[np.float32]:
    sound = np.zeros(n_samples, np.float32)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            start = round((frame.pts or 0) * float(frame.time_base or 0) * SAMPLE_RATE_HZ)
            piece = frame.to_ndarray()[0][: max(0, n_samples - start)]
            sound[start : start + len(piece)] = piece
    return sound


def _sidecar(recording: Recording, path: Path) -> dict[str, object]:
    sidecar = dict(recording.sidecar)
    if "size_bytes" in sidecar:
        sidecar["size_bytes"] = path.stat().st_size
    return sidecar


def main() -> int:
    """Make or check the samples; return the exit code, 1 if `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    found = 0
    for recorded in RECORDINGS:
        recording = recorded()
        if check:
            for difference in differences(recording):
                found += 1
                print(difference, file=sys.stderr)
        else:
            make(recording)
        print(f"{'checked' if check else 'made'} {recording.path}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
