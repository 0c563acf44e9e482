"""Files of sound alone, from `add` to the last asset: what is visual is empty and says so, the rest is made."""

import json
import tarfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from vidassets.errors import NoVideoStream, SourceMissing
from vidassets.media.probe import probe
from vidassets.media.sound import Sound
from vidassets.sources.find import find_videos
from vidassets_tests.assets.speech.spoken_clips import sentence
from vidassets_tests.builders import Home, film
from vidassets_tests.media.videos import needs_encoder

RATE_HZ = 16_000
# By file name: the codec, and whether it has a cover picture.
FILES = {
    "a.wav": ("pcm_s16le", False),
    "b.flac": ("flac", True),
    "c.mp3": ("libmp3lame", True),
    "d.m4a": ("aac", False),
    "e.opus": ("libopus", False),
    "f.ogg": ("libopus", False),
    "g.aac": ("aac", False),
}
SAID = "it takes about ninety minutes"
VISUAL = ["shot_scores", "shots", "frames", "frame_descriptions"]


def write_sound_file(path: Path, samples: np.ndarray, codec: str, has_cover: bool = False) -> Path:
    """Write float (N,) at 16 kHz, and a cover picture."""
    needs_encoder(codec)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ, layout="mono")
        assert isinstance(stream, av.AudioStream)
        picture = _add_cover(container) if has_cover else None
        resampler = av.AudioResampler(stream.format, "mono", RATE_HZ, frame_size=stream.codec_context.frame_size or 960)
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], "flt", "mono")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
        if picture:
            container.mux(picture)
    return path


def _add_cover(container: av.container.OutputContainer) -> av.Packet:
    stream = container.add_stream("mjpeg", rate=1)
    assert isinstance(stream, av.VideoStream)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuvj420p"
    stream.disposition = Disposition.attached_pic
    _, image = cv2.imencode(".jpg", np.full((64, 64, 3), 200, np.uint8))
    packet = av.Packet(image.tobytes())
    packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 0, 0, True
    return packet


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A folder of sounds, all of the same sentence, of which everything visual and the sound are made."""
    home = Home(tmp_path_factory.mktemp("sounds"))
    for name, (codec, has_cover) in FILES.items():
        write_sound_file(home.videos / name, sentence("ninety"), codec, has_cover)
    (home.videos / "a.json").write_text('{"worker_id": 7}')
    assert home.command("add", str(home.videos)).out == f"clips: {len(FILES)} added\n"
    said = home.command("run", "--select", f"raw_clip,{','.join(VISUAL)},description_document,audio")
    assert said.code == 0, said.out
    return home


@pytest.fixture(params=FILES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param[0]


def test_its_facts_have_no_picture_and_no_problem(home: Home, name: str):
    row = home.table("raw_clip", name).row(0, named=True)
    assert (row["has_audio"], row["video_codec"], row["width"], row["n_frames"]) == (True, None, None, None)
    assert row["duration_s"] == pytest.approx(1.95, abs=0.2)
    assert row["problems"] == []


def test_everything_visual_is_empty_and_says_so(home: Home, name: str):
    assert [len(home.table(asset, name)) for asset in VISUAL] == [0, 0, 0, 0]
    with home.deployment() as deployment:
        for asset in ("shot_scores", "frames"):
            made = deployment.workload([name]).board().cells[asset, name].made
            assert made is not None
            assert made.metadata["pictures"].value == "No pictures: the file contains sound alone."
        for asset, says in (("frames", "sound alone"), ("shots", "sound alone"), ("frame_descriptions", "nothing to")):
            made = deployment.workload([name]).board().cells[asset, name].made
            assert made is not None
            assert says in str(made.metadata["preview"].value)


def test_its_sound_is_its_sound(home: Home, name: str):
    with home.store.local_path("audio", name, "flac") as path:
        samples = Sound.open(path).samples()
    expected = sentence("ninety")
    assert len(samples) == pytest.approx(len(expected), abs=0.2 * RATE_HZ)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.1)


def test_its_document_has_its_sidecar_and_no_frame(home: Home):
    document = json.loads(home.store.read_bytes("description_document", "a", "json"))
    assert (document["metadata"], document["frames"]) == ({"worker_id": 7}, [])


def test_what_is_said_in_a_sound_file_is_written_down_and_becomes_subtitles(home: Home):
    said = home.command("run", "--clips", "c", "--select", "*subtitles,*speech_document")
    assert said.code == 0, said.out
    assert " ".join(home.table("transcript_words", "c")["text"]) == SAID
    lines = home.store.read_bytes("subtitles_srt", "c", "srt").decode().splitlines()
    assert " ".join(line for line in lines if line.islower()) == SAID


def test_a_sound_is_found_alone_in_a_folder_and_in_a_tar(home: Home, tmp_path: Path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(home.videos / "b.flac", "music/b.flac")
    for place in (home.videos / "b.flac", tmp_path / "x.tar"):
        assert [source.key for source in find_videos(place, "clip").sources] == ["b"]


def test_a_sound_beside_its_video_is_not_a_clip_of_its_own(tmp_path: Path):
    film(tmp_path / "a.mp4")
    for name in ("a.wav", "b.WAV"):
        write_sound_file(tmp_path / name.lower(), sentence("ninety"), "pcm_s16le").rename(tmp_path / name)
    assert [source.uri for source in find_videos(tmp_path, "clip").sources] == [
        str(tmp_path / name) for name in ("a.mp4", "b.WAV")
    ]


def test_a_sound_is_no_build(home: Home):
    with pytest.raises(SourceMissing, match="no video found"):
        find_videos(home.videos / "a.wav", "build")


def test_a_file_with_neither_video_nor_sound_is_refused(tmp_path: Path):
    content = film(tmp_path / "a.mp4").read_bytes()
    # The track becomes one of metadata.
    (tmp_path / "b.mp4").write_bytes(content.replace(b"vide", b"meta").replace(b"avc1", b"mett"))
    with pytest.raises(NoVideoStream, match=r"neither video nor sound \(streams found: data\)"):
        probe(str(tmp_path / "b.mp4"))
