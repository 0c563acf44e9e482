"""A real browser loads the captions, and shows them with the pictures that they belong to."""

from collections.abc import Iterator
from shutil import which
from typing import Any

import cv2
import numpy as np
import pytest

from vidassets.speech.subtitles.cue import SubtitleStyle
from vidassets.speech.subtitles.cue_layout import lay_out_cues
from vidassets.speech.subtitles.webvtt import format_webvtt
from vidassets_tests.speech.subtitles.caption_page import LEVEL_STEP, served, write_greys, write_page
from vidassets_tests.speech.subtitles.transcripts import spoken

pytestmark = pytest.mark.runs

FIRST_PTS_S = 0.85
# What is said, on the clip's clock: nothing before 1.5 s, two voices, a name that needs escapes.
SAID = (("S0", "one < two", 1.5, 2.5), ("S1", "so three", 3.2, 4.2))
NAMES = {"S0": "Ada & Co", "S1": "Speaker 2"}

pytest.importorskip("selenium", reason="needs the package selenium")
pytestmark = pytest.mark.skipif(
    not (which("chromium") and which("chromedriver")), reason="needs the programs chromium and chromedriver"
)

AT = """
const [time_s, done] = arguments;
const video = document.getElementById('video'), track = document.getElementById('track');
const look = () => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const picture = canvas.getContext('2d');
  picture.drawImage(video, 0, 0, 1, 1);
  const cues = [...track.track.activeCues].map(cue => cue.getCueAsHTML());
  done({
    level: picture.getImageData(0, 0, 1, 1).data[0],
    texts: cues.map(cue => cue.textContent.trim()),
    voices: cues.flatMap(cue => [...cue.querySelectorAll('span[title]')].map(span => span.title)),
    n_cues: track.track.cues.length,
  });
};
const seek = () => {
  // The picture and the caption are drawn with the next frames of the page.
  video.onseeked = () => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(look, 100)));
  video.currentTime = time_s;
};
const ready = () => video.readyState >= 2 && track.readyState === 2 ? seek() : setTimeout(ready, 20);
ready();
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(which("chromium"))
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", f"user-data-dir={profile}"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(which("chromedriver")))
    driver.set_window_size(720, 640)
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=[("video.mp4", "libx264"), ("video.webm", "libvpx")], ids=["mp4", "webm"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Any]:
    """The browser, on a page whose video's first presentation time is not 0."""
    name, codec = request.param
    folder = tmp_path_factory.mktemp("page")
    write_greys(folder / name, codec, FIRST_PTS_S)
    write_page(folder, name, format_webvtt(lay_out_cues(*spoken(*SAID), SubtitleStyle()), NAMES))
    with served(folder) as address:
        browser.get(address)
        yield browser
        browser.get("about:blank")


def at(page: Any, time_s: float) -> dict[str, Any]:
    """What is on screen at that time of the video element."""
    return page.execute_async_script(AT, time_s)


def bright_share(page: Any) -> float:
    """Share of the lower half of the picture that is as bright as the letters."""
    screen = cv2.imdecode(np.frombuffer(page.get_screenshot_as_png(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert screen is not None
    return float((screen[180:360, :640] > 200).mean())


def test_the_browsers_clock_is_the_clips(page: Any) -> None:
    for time_s in (1.0, 2.0, 4.5):
        number = int((time_s - FIRST_PTS_S) * 10)
        assert at(page, time_s)["level"] == pytest.approx(number * LEVEL_STEP, abs=LEVEL_STEP / 2)


def test_the_cue_on_screen_is_the_one_spoken(page: Any) -> None:
    assert [at(page, time_s)["texts"] for time_s in (1.2, 1.9, 2.8, 3.6)] == [[], ["one < two"], [], ["so three"]]


def test_every_cue_is_loaded_with_its_voice(page: Any) -> None:
    shown = at(page, 2.0)

    assert shown["n_cues"] == 2
    assert shown["voices"] == ["Ada & Co"]


def test_the_caption_is_seen(page: Any) -> None:
    at(page, 1.2)
    before = bright_share(page)
    at(page, 2.0)

    assert before == 0
    assert bright_share(page) > 0.0005
