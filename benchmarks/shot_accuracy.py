"""How well and how fast shots are found: python -m benchmarks.shot_accuracy [--footage FOLDER]

Data: generated films (panning coloured blots; cuts, dissolves, with and without a letterbox). With a folder of real
footage (the option, or VIDASSETS_FOOTAGE), also three of its clips, whose transitions were found by eye.
A transition is found if a shot begins after one of its frames. Precision and recall are at the model's own threshold.
CPU-s per second of film are given for scoring and for scaling, without decoding, on one torch thread.
The table of short shots compares three rules on the footage: no minimum length; the minimum length alone; the minimum
length unless the model is certain (the default). Its cases are made of real pictures: cuts one to ten frames from the
start or end of a clip, shots of two to five frames between two others, and flashes of one to four frames, which are no
shots. `certain_score` was chosen on the animation and two other clips, and is judged on the films listed.
The last table shows the difference in scores between pictures cropped from 256x144 and cropped at full size.
"""

import argparse
import math
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from vidassets.resources.shot_models import AdaptiveDetector, TransNetV2
from vidassets.shots.borders import NO_BORDERS, Borders, find_borders
from vidassets.shots.scores import score_frames
from vidassets.shots.shots import shots_from_scores
from vidassets.shots.thumbnails import STREAM_SIZE, thumbnails
from vidassets_tests.shots.films import dissolve, letterbox, scene

FRAME_RATE = 25.0
# First and last frame of each transition: a cut is the frame before it.
ANIMATION = [(70, 76), (143, 180), (236, 258), (285, 285), (347, 347), (371, 371), (445, 503)]
ANIMATION += [(522, 522), (572, 572), (609, 609), (623, 655)]
FOOTAGE = {
    "clips/animation-30s.mp4": ANIMATION,
    "clips/street.mp4": [],
    "faces/two-performers.mp4": [(19, 19), (81, 81), (210, 210)],
}


@dataclass(frozen=True)
class Film:
    """A name, (pts_s, pixels) of its frames, and its transitions."""

    name: str
    frames: list[tuple[float, np.ndarray]]
    transitions: list[tuple[int, int]]


def generated(rows: int = 0) -> Film:
    """Twelve scenes of 25 to 47 frames; every third transition is a dissolve of 12 frames."""
    film, transitions = scene(0, 40), []
    for seed in range(1, 12):
        following = scene(seed, 25 + 2 * seed)
        n_blended = 12 if seed % 3 == 0 else 0
        end = len(film) - 1
        transitions.append((end - n_blended, end))
        film = dissolve(film, following, n_blended) if n_blended else np.concatenate([film, following])
    name = f"generated, {rows} of 144 rows black at both ends" if rows else "generated"
    film = letterbox(film, rows) if rows else film
    return Film(name, [(index / FRAME_RATE, pixels) for index, pixels in enumerate(film)], transitions)


def decoded(path: Path, size: tuple[int, int] | None) -> list[tuple[float, np.ndarray]]:
    """Decode (pts_s, pixels) of every frame, at this size or at full size."""
    width, height = size or (None, None)
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [(frame.time, frame.to_ndarray(format="rgb24", width=width, height=height)) for frame in frames]


def borders_of(frames: list[tuple[float, np.ndarray]]) -> Borders:
    """Find borders as the asset does: from a few pictures spread over the clip."""
    return find_borders(pixels for _, pixels in frames[:: max(1, len(frames) // 16)])


def row_of(film: Film, borders: Borders, scorer: TransNetV2 | AdaptiveDetector) -> list[str]:
    """Return name, model, cropped or not, transitions, found, false, precision, recall, and both CPU-s per second."""
    length_s = film.frames[-1][0] - film.frames[0][0]
    started = time.process_time()
    batches = list(thumbnails(film.frames, borders, scorer.model.frame_size))
    scaled = time.process_time()
    scores = score_frames(film.name, batches, scorer)
    done = time.process_time()
    shots = shots_from_scores(film.name, scores, end_s=film.frames[-1][0] + 1 / FRAME_RATE)
    ends = [frame - 1 for frame in shots["n_frames"].cum_sum()[:-1]]
    found = [t for t in film.transitions if any(t[0] <= end <= t[1] for end in ends)]
    false = [end for end in ends if not any(first <= end <= last for first, last in film.transitions)]
    true_ends = len(ends) - len(false)
    return [
        film.name,
        scorer.model.name,
        "no" if borders == NO_BORDERS else "yes",
        str(len(film.transitions)),
        str(len(found)),
        str(len(false)),
        f"{true_ends / len(ends):.2f}" if ends else "–",
        f"{len(found) / len(film.transitions):.2f}" if film.transitions else "–",
        f"{(done - scaled) / length_s:.3f}",
        f"{(scaled - started) / length_s:.4f}",
    ]


def short_shot_cases(folder: Path) -> Iterator[tuple[str, list[np.ndarray], list[int]]]:
    """Yield kind, pictures, and the last frame of every shot but the last one."""
    performers, street, cat = (
        [pixels for _, pixels in decoded(folder / name, STREAM_SIZE)]
        for name in ("faces/two-performers.mp4", "clips/street.mp4", "clips/a name with spaces and '.mp4")
    )
    for cut, frames in ((20, performers[:82]), (62, performers[20:211]), (129, performers[82:])):
        for n_frames in (1, 2, 3, 5, 7, 10):
            yield "cut near the start", frames[cut - n_frames : cut + 60], [n_frames - 1]
            yield "cut near the end", frames[max(0, cut - 60) : cut + n_frames], [min(cut, 60) - 1]
    scenes = (performers[90:160], street[5:75], cat[5:75])
    for first, second, third in permutations(scenes):
        for n_frames in (2, 3, 4, 5):
            yield "short shot", [*first[:25], *second[10 : 10 + n_frames], *third[:30]], [24, 24 + n_frames]
    for frames in scenes:
        for n_frames in (1, 2, 3, 4):
            for flash in (np.full_like(frames[0], 250), cv2.add(frames[25], frames[25])):
                yield "flash", [*frames[:25], *[flash] * n_frames, *frames[25 + n_frames :]], []


def short_shots(folder: Path) -> Table:
    """Count the shots found, and those that are none, under each rule."""
    rules = {"no minimum": {"min_length_s": 0.0}, "minimum": {"certain_score": math.inf}, "unless certain": {}}
    table = Table("model", "case", "cuts", *(f"{rule}: found, false" for rule in rules), title="short shots")
    cases = list(short_shot_cases(folder))
    for scorer in (TransNetV2(device="cpu"), AdaptiveDetector()):
        counts: dict[str, np.ndarray] = {}
        for kind, pictures, truth in cases:
            frames = [(index / FRAME_RATE, pixels) for index, pixels in enumerate(pictures)]
            batches = thumbnails(frames, borders_of(frames), scorer.model.frame_size)
            scores, end_s = score_frames(kind, batches, scorer), len(frames) / FRAME_RATE
            row = [len(truth)]
            for rule in rules.values():
                shots = shots_from_scores(kind, scores, end_s, **rule)
                ends = set((shots["n_frames"].cum_sum() - 1)[:-1])
                row += [len(ends & set(truth)), len(ends - set(truth))]
            counts[kind] = counts.get(kind, 0) + np.array(row)
        for kind, (n_cuts, *found) in counts.items():
            table.add_row(scorer.model.name, kind, str(n_cuts), *(f"{a}, {b}" for a, b in batched(found, 2)))
    return table


def batched(values: list[int], size: int) -> list[list[int]]:
    """Divide the values into lists of this size."""
    return [values[at : at + size] for at in range(0, len(values), size)]


def score_differences(paths: Iterable[Path]) -> Table:
    """Compare TransNetV2's scores for the two ways to crop its pictures."""
    table = Table("film", "frames", "largest difference", "mean", title="cropped from 256x144 against at full size")
    for path in paths:
        columns = []
        for size in (STREAM_SIZE, None):
            frames = decoded(path, size)
            batches = thumbnails(frames, borders_of(frames), (48, 27))
            columns.append(score_frames(path.name, batches, TransNetV2(device="cpu"))["score"].to_numpy())
        difference = np.abs(columns[0] - columns[1])
        table.add_row(path.name, str(len(difference)), f"{difference.max():.3f}", f"{difference.mean():.4f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", type=Path, default=os.environ.get("VIDASSETS_FOOTAGE"))
    folder = parser.parse_args().footage
    cv2.setNumThreads(1)
    films = [generated(), generated(rows=24)]
    if folder:
        films += [Film(name, decoded(folder / name, STREAM_SIZE), truth) for name, truth in FOOTAGE.items()]

    table = Table("film", "model", "cropped", "transitions", "found", "false", "P", "R", "CPU-s/s", "scaling")
    for scorer in (TransNetV2(device="cpu"), AdaptiveDetector()):
        list(scorer.score([]))
        scorer.execution()  # loads the model, which is not measured
        for film in films:
            for borders in dict.fromkeys([NO_BORDERS, borders_of(film.frames)]):
                table.add_row(*row_of(film, borders, scorer))
    console = Console(width=140)
    console.print(table)
    if folder:
        console.print(short_shots(folder))
        console.print(score_differences(folder / name for name in FOOTAGE if "street" not in name))


if __name__ == "__main__":
    main()
