from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from vidassets.errors import EmptyVideo, ProfileError
from vidassets.schemas import clips as clip_schemas
from vidassets.shots.borders import NO_BORDERS, Borders
from vidassets.shots.scorer import FrameScores, ShotModel, shot_model
from vidassets.shots.scores import score_frames
from vidassets.shots.thumbnails import BATCH_FRAMES, thumbnails
from vidassets.shots.windows import windows
from vidassets_tests.shots.films import timed


class Brightness:
    """A scorer whose score of a frame is its first pixel, returned one batch late."""

    model = ShotModel("brightness", frame_size=(4, 2), default_threshold=1.0)

    def score(self, batches: Iterable[np.ndarray]) -> Iterator[FrameScores]:
        late = np.zeros(0, np.float32)
        for pixels in batches:
            yield FrameScores(late, None)
            late = pixels[:, 0, 0, 0].astype(np.float32)
        yield FrameScores(late, None)


def numbered(n_frames: int) -> np.ndarray:
    """Pictures (n, 2, 4, 3), each filled with its own number."""
    return np.broadcast_to(np.arange(n_frames, dtype=np.uint8)[:, None, None, None], (n_frames, 2, 4, 3))


def test_every_frame_has_its_own_score_and_time():
    batches = thumbnails(timed(numbered(120)), NO_BORDERS, Brightness.model.frame_size)
    scores = clip_schemas.ShotScores.validate(score_frames("film", batches, Brightness()))
    assert scores["score"].to_list() == list(range(120))
    assert scores["pts_s"].to_list() == [i / 25 for i in range(120)]
    assert scores["model"].unique().to_list() == ["brightness"]


def test_pictures_are_read_only_when_the_scorer_needs_them():
    read = 0

    def pictures():
        nonlocal read
        for pts_s, pixels in timed(numbered(200)):
            read += 1
            yield pts_s, pixels

    next(thumbnails(pictures(), NO_BORDERS, (4, 2)))
    assert read == BATCH_FRAMES


def test_a_clip_without_frames_is_an_error_that_names_it():
    with pytest.raises(EmptyVideo, match=r"my-film: .* `vidassets show my-film`"):
        score_frames("my-film", [], Brightness())


def test_thumbnails_are_cropped_before_they_are_scaled():
    picture = np.zeros((8, 4, 3), np.uint8)
    picture[2:6] = 200
    (batch,) = thumbnails([(0.0, picture)], Borders(0.25, 0.25, 0, 0), (2, 2))
    assert batch.pixels.tolist() == np.full((1, 2, 2, 3), 200).tolist()


@pytest.mark.parametrize("n_frames", [1, 24, 25, 49, 50, 51, 75, 76, 100, 149])
@pytest.mark.parametrize("batch_frames", [1, 50, 64])
def test_windows_score_every_frame_once_with_its_neighbours_around_it(n_frames, batch_frames):
    pictures = numbered(n_frames)
    batches = [pictures[at : at + batch_frames] for at in range(0, n_frames, batch_frames)]
    middles = []
    for window, n in windows(batches):
        numbers = window[:, 0, 0, 0].astype(int)
        middles += numbers[25 : 25 + n].tolist()
        first = numbers[25]
        assert numbers.tolist() == np.clip(np.arange(first - 25, first + 75), 0, n_frames - 1).tolist()
    assert middles == list(range(n_frames))


def test_an_unknown_model_has_no_default():
    with pytest.raises(ProfileError, match="brightness: no shot model of this name, known are transnetv2"):
        shot_model("brightness")
