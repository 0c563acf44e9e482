"""A page with a video and its captions, served on loopback; by ranges of bytes, as seeking needs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import av
import numpy as np

TYPES = {"html": "text/html; charset=utf-8", "vtt": "text/vtt; charset=utf-8", "mp4": "video/mp4", "webm": "video/webm"}
# 8-bit levels between the greys of two frames: video coding keeps them apart.
LEVEL_STEP = 4


def write_page(folder: Path, video: str, captions: str) -> None:
    """index.html and captions.vtt beside the video."""
    (folder / "captions.vtt").write_text(captions, encoding="utf-8")
    (folder / "index.html").write_text(
        f'<!doctype html><body style="margin:0"><video id="video" src="{video}" width="640" height="360" muted>'
        '<track id="track" kind="captions" srclang="en" src="captions.vtt" default></video></body>',
        encoding="utf-8",
    )


def write_greys(path: Path, codec: str, first_pts_s: float, n_frames: int = 50, rate: int = 10) -> None:
    """A video without sound whose frame n is grey of level n × LEVEL_STEP, the first at `first_pts_s`."""
    with av.open(path, "w") as container:
        stream = container.add_stream(
            codec, rate=rate, options={"bf": "0"} if codec == "libx264" else {"cpu-used": "8"}
        )
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(n_frames):
            pixels = np.full((180, 320, 3), number * LEVEL_STEP, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = round((first_pts_s + number / rate) * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the folder's index.html."""

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = folder / (self.path.lstrip("/") or "index.html")
            if not path.is_file():
                self.send_error(404)
                return
            content = path.read_bytes()
            wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            begin, end = (int(wanted[1]), int(wanted[2] or len(content) - 1)) if wanted else (0, len(content) - 1)
            self.send_response(206 if wanted else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", TYPES[path.suffix.lstrip(".")])
            if wanted:
                self.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
            self.send_header("Content-Length", str(end - begin + 1))
            self.end_headers()
            # A browser hangs up on what it has enough of.
            with suppress(ConnectionError):
                self.wfile.write(content[begin : end + 1])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
