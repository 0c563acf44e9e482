"""Draw builds of any length and number, each with its own camera, and with every spatter known; not kept here.

    python samples/long_builds.py FOLDER [--minutes 10] [--short-minutes 1.5] [--builds 6]

Writes recordings of each gas flow with sidecar and truth; the first of each flow has the length --minutes, the others
are short. It also writes one unlabelled recording of each flow, and `odd`, with light and dark exchanged. Builds of the
same flow differ in exposure, focus, grain, ambient light, and the size and elongation of their spatters. Some spatters
start as a faint ember; the others, by default half, appear at once.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from build import AREA_PX, FRAME_RATE, HIGH, LAYER_FRAMES, LOW, RECOATING_AFTER_FRAMES, Flow, spatters_of
from numpy.typing import NDArray
from powder_bed import RECOATING_FRAMES, Box, Pass, Spatter, changed_mask, glowing, recoating
from recording import HEIGHT, WIDTH, Clock, Picture, Recording, Truth, dump_truth, write_recording

LASER_FRAMES = 900
PAUSE_FRAMES = 740  # longer than the 700 frames after which, by default, a layer begins
MORE_SPATTERS = 1.4  # than the samples have in the same time
GRAIN_PICTURES = 8  # used in turn: drawing new noise for each frame takes longer than drawing the frame
POOL_REACH_PX = 95  # beyond it the melt pool's glow is below half a gray level
COLUMNS = {"left": (40, 400), "mid": (140, 500), "right": (240, 600)}  # columns that the laser scans


@dataclass(frozen=True)
class Look:
    """The look of a camera: exposure, ambient light and grain in gray levels, blur in pixels."""

    exposure: float
    ambient: float
    grain: float
    blur_px: float
    is_negative: bool = False


@dataclass(frozen=True)
class LongBuild:
    """The parameters of a drawn recording."""

    name: str
    flow: Flow
    look: Look
    n_frames: int
    is_labelled: bool = True
    sudden_share: float = 0.5

    @cached_property
    def passes(self) -> list[Pass]:
        """The passes of the laser, one per layer."""
        starts = range(12, self.n_frames - LASER_FRAMES // 2, LASER_FRAMES + PAUSE_FRAMES)
        return [
            Pass(range(start, min(start + LASER_FRAMES, self.n_frames - 8)), *COLUMNS[self.flow.position])
            for start in starts
        ]

    @cached_property
    def layers(self) -> list[list[Spatter]]:
        """The spatters of every layer."""
        rng = np.random.default_rng(self.flow.seed)
        layers = [spatters_of(self._flow_of(laser), laser, rng) for laser in self.passes]
        return [
            [replace(spatter, sudden=bool(rng.random() < self.sudden_share)) for spatter in layer] for layer in layers
        ]

    def _flow_of(self, laser: Pass) -> Flow:
        times = len(laser.frames) / LAYER_FRAMES
        return replace(
            self.flow,
            per_layer=round(self.flow.per_layer * MORE_SPATTERS * times),
            sparks_per_layer=round(self.flow.sparks_per_layer * times),
        )


def drawn_builds(minutes: float, short_minutes: float, n_builds: int) -> list[LongBuild]:
    """Return the labelled builds of both flows, then the unlabelled ones."""
    long, short = (round(length * 60 * FRAME_RATE) for length in (minutes, short_minutes))
    builds = [
        _drawn(f"{flow.name}-{number}", flow, number, short if number > 1 else long)
        for flow in (LOW, HIGH)
        for number in range(1, n_builds + 1)
    ]
    new = [replace(_drawn(f"new-{flow.name}", flow, n_builds + 1, short), is_labelled=False) for flow in (LOW, HIGH)]
    odd = replace(_drawn("odd", LOW, n_builds + 2, short), is_labelled=False)
    return [*builds, *new, replace(odd, look=replace(odd.look, is_negative=True))]


def _drawn(name: str, flow: Flow, number: int, n_frames: int) -> LongBuild:
    """Return a build with its own look and spatters; the looks of both flows have the same range."""
    rng = np.random.default_rng([flow.seed, number])
    look = Look(rng.uniform(0.8, 1.1), rng.uniform(4, 10), rng.uniform(0.6, 2.2), rng.uniform(0, 1.2))
    larger, longer = rng.uniform(0.94, 1.06), rng.uniform(0.95, 1.05)
    own = replace(
        flow,
        seed=flow.seed + 100 * number,
        position=tuple(COLUMNS)[int(rng.integers(len(COLUMNS)))],
        # The sizes of both flows are closer than in the samples, since crops are resized before classification.
        length_px=(36 * larger, 58 * larger) if flow is LOW else (28 * larger, 38 * larger),
        stretch=(1.2 * longer, 1.9) if flow is LOW else (1.0, 1.15 * longer),
    )
    return LongBuild(name, own, look, n_frames)


class Painter:
    """Draws the frames of a build. It draws only the lit regions, since most of a long build is dark."""

    def __init__(self, build: LongBuild) -> None:
        self._build, self._look = build, build.look
        rng = np.random.default_rng(build.flow.seed)
        grain = rng.normal(self._look.ambient, self._look.grain, (GRAIN_PICTURES, HEIGHT, WIDTH, 1))
        self._grain = np.clip(grain.repeat(3, axis=3), 0, 255).round().astype(np.uint8)
        self._of_frame: dict[int, list[Spatter]] = {}
        for spatter in (spatter for layer in build.layers for spatter in layer):
            for frame in spatter.frames:
                self._of_frame.setdefault(frame, []).append(spatter)

    def picture(self, frame: int) -> Picture:
        """Return a frame as the camera shows it, BGR."""
        seen = self._grain[frame % GRAIN_PICTURES]
        if (light := self._light(frame)) is not None:
            seen = cv2.add(light, seen)
        return 255 - seen if self._look.is_negative else seen

    def _light(self, frame: int) -> Picture | None:
        done = frame - self._build.passes[0].frames.start
        turn, since = divmod(done, LASER_FRAMES + PAUSE_FRAMES)
        age = since - LASER_FRAMES - RECOATING_AFTER_FRAMES
        if turn >= 0 and 0 <= age < RECOATING_FRAMES:
            return recoating(age)
        lit = [(spatter, window_of(spatter)) for spatter in self._of_frame.get(frame, [])]
        lit += [(laser, _pool_window(laser, frame)) for laser in self._build.passes if frame in laser.frames]
        if not lit:
            return None
        light, picture = np.zeros((HEIGHT, WIDTH), np.float32), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for source, (x1, y1, x2, y2) in lit:
            part = light[y1:y2, x1:x2]
            np.maximum(part, source.light(frame, (x1, y1, x2, y2)), out=part)
        for _, (x1, y1, x2, y2) in lit:
            part = glowing(light[y1:y2, x1:x2] * self._look.exposure)
            blurred = cv2.GaussianBlur(part, (0, 0), self._look.blur_px) if self._look.blur_px > 0.3 else part
            picture[y1:y2, x1:x2] = blurred
        return picture


def window_of(spatter: Spatter) -> Box:
    """Return the box that contains all light of a spatter during its life."""
    return _window(spatter.x, spatter.y, 1.6 * spatter.length_px + 12)


def _pool_window(laser: Pass, frame: int) -> Box:
    return _window(*laser.pool(frame), POOL_REACH_PX)


def _window(x: float, y: float, reach: float) -> Box:
    return max(0, int(x - reach)), max(0, int(y - reach)), min(WIDTH, int(x + reach)), min(HEIGHT, int(y + reach))


def recording_of(build: LongBuild) -> Recording:
    """Return the recording of a build with its sidecar and truth."""
    clock = Clock(FRAME_RATE)
    sidecar = {"position": build.flow.position} | ({"gas_flow": build.flow.name} if build.is_labelled else {})
    events = [
        {"layer": layer, "pts_s": clock.pts_s(row["frame"]), **row}
        for layer, spatters in enumerate(build.layers)
        for spatter in spatters
        for row in _events(spatter, build.look.exposure)
    ]
    truth: Truth = {
        "gas_flow": build.flow.name,
        "position": build.flow.position,
        "look": vars(build.look),
        "layers": [{"layer": i, "first_frame": laser.frames.start} for i, laser in enumerate(build.passes)],
        "events": sorted(events, key=lambda event: event["frame"]),
    }
    return Recording(
        path=Path(f"{build.name}.mp4"),
        key=build.name,
        kind="build",
        clock=clock,
        n_frames=build.n_frames,
        picture=Painter(build).picture,
        truth=truth,
        crf=20,
        preset="ultrafast",
        sidecar=sidecar,
    )


def _events(spatter: Spatter, exposure: float) -> list[Truth]:
    """Return a row for each pair of frames between which the spatter changes; the area is that of the contour.

    `empty`: the earlier frame of the pair shows the bed without the spatter.
    """
    window = window_of(spatter)
    rows = []
    for frame in spatter.frames:
        earlier, later = (spatter.light(number, window) * exposure for number in (frame, frame + 1))
        box, area_px = _largest(changed_mask(earlier, later))
        moved = [box[0] + window[0], box[1] + window[1], box[2] + window[0], box[3] + window[1]]
        counts = AREA_PX[0] <= area_px <= AREA_PX[1]
        rows.append(
            {
                "frame": frame,
                "box_xyxy": moved,
                "area_px": area_px,
                "counts": counts,
                "empty": spatter.sudden and frame == spatter.first_frame,
            }
        )
    return rows


def _largest(mask: NDArray[np.uint8]) -> tuple[Box, float]:
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return (0, 0, 0, 0), 0.0
    largest = max(contours, key=cv2.contourArea)
    x, y, width, height = cv2.boundingRect(largest)
    return (x, y, x + width, y + height), cv2.contourArea(largest)


def write_build(build: LongBuild, folder: Path) -> Path:
    """Encode a build, with NAME.json and NAME.truth.json beside it."""
    cv2.setNumThreads(1)
    recording = recording_of(build)
    path = folder / recording.path
    write_recording(recording, path)
    path.with_suffix(".truth.json").write_text(dump_truth(recording.full_truth()))
    path.with_suffix(".json").write_text(json.dumps(recording.sidecar, indent=2) + "\n")
    return path


def write_builds(builds: list[LongBuild], folder: Path, processes: int = 2) -> list[Path]:
    """Encode the builds in parallel processes."""
    folder.mkdir(parents=True, exist_ok=True)
    # Spawn the workers: a fork of a process with threads of OpenCV or a model may hang.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as workers:
        return list(workers.map(write_build, builds, [folder] * len(builds)))


def main() -> None:
    """Write the builds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10, help="of the first build of each flow")
    parser.add_argument("--short-minutes", type=float, default=1.5, help="of every other build")
    parser.add_argument("--builds", type=int, default=6, help="of each flow; a split by build needs three")
    wanted = parser.parse_args()
    for path in write_builds(drawn_builds(wanted.minutes, wanted.short_minutes, wanted.builds), wanted.folder):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
