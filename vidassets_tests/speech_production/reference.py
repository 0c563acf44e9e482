"""Reference output of the real libraries, used as their documentation says: python reference.py WHAT …

`diarization PIPELINE FLAC N_SPEAKERS` (0: estimated by the pipeline) and `activity FLAC`, as JSON.
"""

import json
import sys

import soundfile
import torch


def diarization(pipeline: str, flac: str, n_speakers: str) -> dict:
    from pyannote.audio import Pipeline

    output = Pipeline.from_pretrained(pipeline)(_file(flac), num_speakers=int(n_speakers) or None)
    annotations = {"turns": output.speaker_diarization, "exclusive": output.exclusive_speaker_diarization}
    return {
        name: [(turn.start, turn.end, label) for turn, _, label in annotation.itertracks(yield_label=True)]
        for name, annotation in annotations.items()
    }


def activity(flac: str) -> list:
    from whisperx.vads.pyannote import load_vad_model

    scores = load_vad_model("cpu")(_file(flac))
    return [scores.sliding_window[0].middle, scores.sliding_window.step, scores.data.max(axis=1).tolist()]


def _file(flac: str) -> dict:
    samples, rate = soundfile.read(flac, dtype="float32")
    return {"waveform": torch.from_numpy(samples)[None], "sample_rate": rate}


if __name__ == "__main__":
    torch.set_num_threads(1)
    answer = globals()[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(answer), file=sys.__stdout__)
