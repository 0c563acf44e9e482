"""The sample builds: a powder bed under low and under high gas flow, every spatter known."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from powder_bed import GLOW, RECOATING_FRAMES, Pass, Spatter, changed_region, glowing, glowing_region, recoating
from recording import HEIGHT, WIDTH, Clock, Picture, Recording, Truth

FRAME_RATE = Fraction(25)
N_FRAMES = 600
N_LAYERS = 4
FIRST_LAYER_FRAME = 12
LAYER_FRAMES = 84
LAYER_EVERY_FRAMES = 146
RECOATING_AFTER_FRAMES = 96  # from the layer's first frame: the laser has been off for half a second
LAYER_GAP_FRAMES = 40  # longer than any pause within a layer, shorter than any between layers

AREA_PX = (2000, 15000)  # what a spatter's changed region must measure to count
MARGIN_PX = 30  # kept free around a glowing spatter, so that neighbours never merge into one region


@dataclass(frozen=True)
class Flow:
    """The spatters under a gas flow: number per layer, half axes in pixels, streaks or droplets."""

    name: str
    position: str
    seed: int
    per_layer: int
    length_px: tuple[float, float]
    stretch: tuple[float, float]
    lobes: tuple[int, int]
    sparks_per_layer: int
    flare: bool


LOW = Flow("low", "left", 20, 16, (40, 62), (1.25, 1.9), (3, 5), 6, True)
HIGH = Flow("high", "right", 21, 9, (25, 31), (1.0, 1.15), (1, 1), 4, False)


def build_low_flow() -> Recording:
    """Low gas flow: many large, ragged spatters."""
    return _build(LOW)


def build_high_flow() -> Recording:
    """High gas flow: few small, round spatters."""
    return _build(HIGH)


def _build(flow: Flow) -> Recording:
    """24 s at 25 fps: four layers, and blue recoating light between them."""
    clock = Clock(FRAME_RATE)
    rng = np.random.default_rng(flow.seed)
    passes = [_laser_pass(layer) for layer in range(N_LAYERS)]
    layers = [spatters_of(flow, laser, rng) for laser in passes]
    recoatings = [laser.frames.start + RECOATING_AFTER_FRAMES for laser in passes[:-1]]

    def picture(frame: int) -> Picture:
        for start in recoatings:
            if start <= frame < start + RECOATING_FRAMES:
                return recoating(frame - start)
        light = np.zeros((HEIGHT, WIDTH), np.float32)
        for laser, spatters in zip(passes, layers, strict=True):
            if frame in laser.frames:
                light = laser.light(frame)
            for spatter in spatters:
                if frame in spatter.frames:
                    light = np.maximum(light, spatter.light(frame))
        return glowing(light)

    numbered = [(layer, spatter) for layer, spatters in enumerate(layers) for spatter in spatters]
    truth: Truth = {
        "gas_flow": flow.name,
        "position": flow.position,
        "layer_gap_frames": LAYER_GAP_FRAMES,
        "layers": [_layer_truth(index, laser, clock) for index, laser in enumerate(passes)],
        "recoatings": [_recoating_truth(start, clock) for start in recoatings],
        "spatters": [
            row for i, (layer, spatter) in enumerate(numbered) for row in _glow_rows(i, layer, spatter, clock)
        ],
        "events": [row for i, (layer, spatter) in enumerate(numbered) for row in _event_rows(i, layer, spatter, clock)],
    }
    return Recording(
        path=Path(f"builds/{flow.name}-flow.mp4"),
        key=f"{flow.name}-flow",
        kind="build",
        clock=clock,
        n_frames=N_FRAMES,
        picture=picture,
        truth=truth,
        crf=20,
        sidecar={
            "position": flow.position,
            "gas_flow": flow.name,
            "extraction": {"layer_gap_frames": LAYER_GAP_FRAMES},
        },
    )


def _laser_pass(layer: int) -> Pass:
    start = FIRST_LAYER_FRAME + LAYER_EVERY_FRAMES * layer
    return Pass(range(start, start + LAYER_FRAMES), 90, WIDTH - 90)


def spatters_of(flow: Flow, laser: Pass, rng: np.random.Generator) -> list[Spatter]:
    """Return the spatters of a layer: those that count, sparks (too small) and, if any, a flare (too large)."""
    spatters: list[Spatter] = []
    shapes = [(rng.uniform(*flow.length_px), rng.uniform(*flow.stretch), flow.lobes) for _ in range(flow.per_layer)]
    shapes += [(rng.uniform(6, 11), 1.0, (1, 1)) for _ in range(flow.sparks_per_layer)]
    shapes += [(96.0, 1.3, (1, 1))] * flow.flare
    for index, (length_px, stretch, lobes) in enumerate(sorted(shapes, key=lambda shape: -shape[0])):
        spatters.append(_place(laser, spatters, (length_px, stretch, lobes), index == 0, rng))
    return sorted(spatters, key=lambda spatter: (spatter.first_frame, spatter.x))


def _place(
    laser: Pass,
    others: list[Spatter],
    shape: tuple[float, float, tuple[int, int]],
    opens: bool,
    rng: np.random.Generator,
) -> Spatter:
    """Return a spatter at a place with no other light near it while it glows; the first one starts the layer."""
    length_px, stretch, lobes = shape
    reach = length_px * 1.25
    last_start = laser.frames.stop - len(GLOW) - 2
    for _ in range(20_000):
        spatter = Spatter(
            first_frame=laser.frames.start + 2 if opens else int(rng.integers(laser.frames.start + 2, last_start)),
            x=float(rng.uniform(reach + 4, WIDTH - reach - 12)),
            y=float(rng.uniform(reach + 4, HEIGHT - reach - 12)),
            length_px=length_px,
            breadth_px=length_px / stretch,
            angle=float(rng.uniform(0, np.pi)),
            lobes=int(rng.integers(lobes[0], lobes[1] + 1)),
            peak=float(rng.uniform(215, 250)),
        )
        if _has_room(spatter, laser, others):
            return spatter
    raise ValueError(f"no room for a spatter of {length_px:.0f} px: use fewer per layer, or smaller ones.")


def _has_room(spatter: Spatter, laser: Pass, others: list[Spatter]) -> bool:
    reach = spatter.length_px * 1.25 + MARGIN_PX
    for frame in range(spatter.first_frame - 1, spatter.frames.stop + 1):
        x, y = laser.pool(frame)
        if np.hypot(x - spatter.x, y - spatter.y) < reach:
            return False
    return all(
        abs(other.first_frame - spatter.first_frame) > len(GLOW) + 1
        or np.hypot(other.x - spatter.x, other.y - spatter.y) > reach + other.length_px * 1.25
        for other in others
    )


def _layer_truth(index: int, laser: Pass, clock: Clock) -> Truth:
    first, last = laser.frames.start, laser.frames.stop - 1
    return {"layer": index, "start_s": clock.pts_s(first), "end_s": clock.pts_s(last + 1), "first_frame": first}


def _recoating_truth(start: int, clock: Clock) -> Truth:
    return {"start_s": clock.pts_s(start), "end_s": clock.pts_s(start + RECOATING_FRAMES), "first_frame": start}


def _glow_rows(index: int, layer: int, spatter: Spatter, clock: Clock) -> list[Truth]:
    """Return one row for each frame on which the spatter is bright: all of its frames but the first."""
    rows = []
    for frame in spatter.frames[1:]:
        box, area_px = glowing_region(spatter.light(frame))
        row = {"spatter": index, "layer": layer, "frame": frame, "pts_s": clock.pts_s(frame)}
        rows.append({**row, "box_xyxy": list(box), "area_px": area_px})
    return rows


def _event_rows(index: int, layer: int, spatter: Spatter, clock: Clock) -> list[Truth]:
    """Return one row for each pair of frames between which the spatter changes, identified by the earlier frame."""
    rows = []
    for frame in spatter.frames:
        box, area_px = changed_region(spatter.light(frame), spatter.light(frame + 1))
        row = {"spatter": index, "layer": layer, "frame": frame, "pts_s": clock.pts_s(frame)}
        rows.append({**row, "box_xyxy": list(box), "area_px": area_px, "counts": AREA_PX[0] <= area_px <= AREA_PX[1]})
    return rows
