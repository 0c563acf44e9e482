"""The table of a clip's sampled pictures, built while they are decoded."""

from collections.abc import Iterable

import cv2
import polars as pl

from vidassets.errors import InvalidSetting
from vidassets.frames import measures
from vidassets.frames.sampling import Reason
from vidassets.schemas import clips as clip_schemas

JPEG_QUALITY = 85
# Limit of the library that writes the JPEGs; the limit of the format itself is 65535.
JPEG_MAX_SIDE_PX = 65500


def frames_table(
    clip: str, pictures: Iterable[tuple[float, Reason, float, measures.Rgb]], jpeg_quality: int = JPEG_QUALITY
) -> pl.DataFrame:
    """Return one row per picture, in order of time, with the columns of `schemas.Frames`.

    Pictures are read one at a time, measured as decoded, and kept as JPEG only, so memory grows with the JPEGs. A
    picture that is given twice (the same `pts_s`) becomes one row, with the earlier `wanted_s`.

    Args:
        clip: partition key.
        pictures: (wanted_s, reason, pts_s, rgb) in any order; rgb is uint8 (height, width, 3).
        jpeg_quality: 0 to 100, as libjpeg counts.

    Raises:
        InvalidSetting: a picture is too large for JPEG, or the quality is outside 0 to 100.
    """
    rows: dict[float, dict[str, object]] = {}
    requested: dict[float, tuple[float, Reason]] = {}
    for wanted_s, reason, pts_s, rgb in pictures:
        if pts_s not in rows:
            rows[pts_s] = {"pts_s": pts_s, **_stored_picture(clip, pts_s, rgb, jpeg_quality)}
        requested[pts_s] = min(requested.get(pts_s, (wanted_s, reason)), (wanted_s, reason))
    return pl.DataFrame(
        [
            {
                "clip": clip,
                "frame_index": index,
                "wanted_s": requested[pts_s][0],
                "reason": requested[pts_s][1],
                **rows[pts_s],
            }
            for index, pts_s in enumerate(sorted(rows))
        ],
        schema=clip_schemas.Frames.create_empty().schema,
    )


def encode_jpeg(rgb: measures.Rgb, quality: int = JPEG_QUALITY) -> bytes:
    """Encode a picture, uint8 (height, width, 3), as JPEG.

    Raises:
        InvalidSetting: a side is longer than 65500 px, or the quality is outside 0 to 100.
    """
    height, width, _ = rgb.shape
    if max(height, width) > JPEG_MAX_SIDE_PX:
        raise InvalidSetting(
            f"A picture of {width}x{height} px is too large for JPEG ({JPEG_MAX_SIDE_PX} px a side): "
            "set max_side_px of the frames asset, such as 1920."
        )
    if not 0 <= quality <= 100:
        raise InvalidSetting(f"jpeg_quality is {quality}: set it from 0 to 100, such as {JPEG_QUALITY}.")
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def _stored_picture(clip: str, pts_s: float, rgb: measures.Rgb, jpeg_quality: int) -> dict[str, object]:
    try:
        jpeg = encode_jpeg(rgb, jpeg_quality)
    except InvalidSetting as error:
        raise InvalidSetting(f"{clip} at {pts_s:.3f} s: {error}") from error
    luma = measures.luma(rgb)
    return {
        "height": rgb.shape[0],
        "width": rgb.shape[1],
        "image": {"bytes": jpeg, "path": None},
        "sharpness": measures.sharpness(luma),
        "brightness": measures.brightness(luma),
        "perceptual_hash": measures.perceptual_hash(luma),
    }
