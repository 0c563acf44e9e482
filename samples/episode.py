"""The sample episode: two people on screen and two voices speaking known sentences, all at known times."""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from montage import Montage, Shot
from numpy.typing import NDArray
from portraits import CameraMove, Framing, TwoUp, eileen_collins, grace_hopper, landscape
from recording import HEIGHT, SAMPLE_RATE_HZ, WIDTH, Clock, Recording, Truth
from voices import speak

FRAME_RATE = Fraction(24)
N_FRAMES = 28 * 24
HALF = (318, HEIGHT)
VOICES = {"grace-hopper": "rms", "eileen-collins": "slt"}
SCRIPT = (
    (0.5, "eileen-collins", "welcome to a short story about two people who went first"),
    (5.0, "grace-hopper", "the program begins with one simple question"),
    (9.4, "grace-hopper", "how long does it take to fly around the world"),
    (12.5, "eileen-collins", "it takes about ninety minutes"),
    (15.0, "grace-hopper", "we should write it down before we forget it"),
    (16.3, "eileen-collins", "there is always another question to answer"),
    (20.0, "eileen-collins", "nobody lives here but the birds and the trees"),
    (23.4, "grace-hopper", "that is the end of our story"),
)


@dataclass(frozen=True)
class Appearance:
    """A person in a shot: the camera move that shows the person, and the left edge of its view in the picture."""

    shot: int
    move: CameraMove
    left_px: int = 0


def episode() -> Recording:
    """Return the episode: 28 s at 24 fps, five cuts, a dissolve; people alone, together or absent; speech overlaps."""
    clock = Clock(FRAME_RATE)
    montage, appearances = _montage(clock)
    sound, sentences = _sound()
    truth: Truth = {
        **montage.truth(),
        "appearances": [_span(montage, appearance) for appearance in appearances],
        "faces": [row for appearance in appearances for row in _faces(montage, appearance)],
        "sentences": sentences,
        "words": [
            {"sentence": sentence["sentence"], "word": word, "start_s": start_s, "end_s": end_s}
            for sentence in sentences
            for word, start_s, end_s in sentence.pop("words")
        ],
        "overlaps": _overlaps(sentences),
    }
    return Recording(
        path=Path("episodes/pioneers/s01/e02/episode.mp4"),
        key="pioneers-s01e02",
        kind="episode",
        clock=clock,
        n_frames=N_FRAMES,
        picture=montage.picture,
        truth=truth,
        crf=23,
        sound=sound,
    )


def _montage(clock: Clock) -> tuple[Montage, list[Appearance]]:
    hopper, collins = grace_hopper(), eileen_collins()
    hopper_in = CameraMove(hopper, Framing(260, 190, 500), Framing(264, 212, 455), 5)
    collins_pan = CameraMove(collins, Framing(300, 142, 400), Framing(232, 140, 330), 5.5)
    hopper_half = CameraMove(hopper, Framing(266, 220, 310), Framing(268, 212, 286), 5, HALF)
    collins_half = CameraMove(collins, Framing(236, 150, 236), Framing(230, 150, 218), 5, HALF)
    hopper_close = CameraMove(hopper, Framing(276, 214, 440), Framing(256, 206, 480), 2.5)
    collins_out = CameraMove(collins, Framing(228, 120, 270), Framing(270, 146, 440), 2.5)
    shots = (
        Shot("title", 0, partial(landscape, dusk=False, title="Pioneers")),
        Shot("hopper", 99, hopper_in.take, "dissolve", 18),
        Shot("collins", 216, collins_pan.take),
        Shot("both", 348, TwoUp(hopper_half, collins_half).take),
        Shot("valley", 468, partial(landscape, dusk=True)),
        Shot("hopper-close", 552, hopper_close.take),
        Shot("collins-out", 618, collins_out.take),
    )
    appearances = [
        Appearance(1, hopper_in),
        Appearance(2, collins_pan),
        Appearance(3, hopper_half),
        Appearance(3, collins_half, WIDTH - HALF[0]),
        Appearance(5, hopper_close),
        Appearance(6, collins_out),
    ]
    return Montage(shots, N_FRAMES, clock), appearances


def _span(montage: Montage, appearance: Appearance) -> Truth:
    start_s, end_s = montage.span_s(appearance.shot)
    person = appearance.move.portrait.person
    return {"person": person, "shot": appearance.shot, "start_s": start_s, "end_s": end_s}


def _faces(montage: Montage, appearance: Appearance) -> list[Truth]:
    """Return the box of the face on the first, middle and last frame that shows only this shot."""
    shot, following = montage.shots[appearance.shot], montage.shots[appearance.shot + 1 :]
    last = (following[0].visible_from if following else montage.n_frames) - 1
    rows = []
    for frame in (shot.alone_from, (shot.alone_from + last) // 2, last):
        x1, y1, x2, y2 = appearance.move.face_xyxy(float((frame - shot.visible_from) / montage.clock.frame_rate))
        shift = appearance.left_px
        rows.append(
            {
                "person": appearance.move.portrait.person,
                "frame": frame,
                "pts_s": montage.clock.pts_s(frame),
                "box_xyxy": [round(x1 + shift, 1), round(y1, 1), round(x2 + shift, 1), round(y2, 1)],
            }
        )
    return rows


def _sound() -> tuple[NDArray[np.float32], list[Truth]]:
    track = np.zeros(round(N_FRAMES / FRAME_RATE * SAMPLE_RATE_HZ), np.float32)
    sentences: list[Truth] = []
    for index, (start_s, person, text) in enumerate(SCRIPT):
        said = speak(text, VOICES[person])
        first = round(start_s * SAMPLE_RATE_HZ)
        track[first : first + len(said.samples)] += said.samples
        sentences.append(
            {
                "sentence": index,
                "person": person,
                "voice": VOICES[person],
                "start_s": start_s,
                "end_s": round(start_s + said.duration_s, 4),
                "text": text,
                "words": [(word, round(start_s + a, 3), round(start_s + b, 3)) for word, a, b in said.words],
            }
        )
    return track, sentences


def _overlaps(sentences: list[Truth]) -> list[Truth]:
    """Return the time spans in which two sentences overlap."""
    return [
        {"sentences": [a["sentence"], b["sentence"]], "start_s": b["start_s"], "end_s": min(a["end_s"], b["end_s"])}
        for a, b in pairwise(sentences)
        if b["start_s"] < a["end_s"]
    ]
