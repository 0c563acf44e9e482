"""The grammar of WebVTT (W3C, section 4), as far as captions use it, held strictly: browsers forgive more."""

import re

TIMESTAMP = r"(?:\d{2,}:)?[0-5]\d:[0-5]\d\.\d{3}"
TIMINGS = re.compile(rf"({TIMESTAMP}) --> ({TIMESTAMP})$")
TOKEN = re.compile(
    rf"(?P<text>(?:[^<>&\n]|&(?:amp|lt|gt|lrm|rlm|nbsp|\#\d+|\#x[0-9a-fA-F]+);)+|\n)"
    rf"|<(?P<time>{TIMESTAMP})>"
    r"|<(?P<open>[cibu]|v)(?P<classes>(?:\.[^\s<>&.]+)*)(?:[ \t](?P<note>(?:[^<>&\n\r]|&(?:amp|lt|gt);)+))?>"
    r"|</(?P<close>[cibuv])>"
)


def milliseconds(timestamp: str) -> int:
    *hours, minutes, seconds = timestamp.split(":")
    return (int(hours[0] if hours else 0) * 60 + int(minutes)) * 60_000 + int(seconds.replace(".", ""))


def check_webvtt(text: str) -> list[tuple[int, int]]:
    """Begin and end of every cue in milliseconds; ValueError names the first thing that the grammar does not allow."""
    header, *blocks = re.split(r"\n{2,}", text.rstrip("\n"))
    if header != "WEBVTT" or "\0" in text or "\r" in text:
        raise ValueError(f"not a header: {header!r}")
    spans: list[tuple[int, int]] = []
    for block in blocks:
        if block.startswith(("NOTE ", "STYLE\n")):
            if "-->" in block or (block.startswith("STYLE") and spans):
                raise ValueError(f"not a comment or style: {block!r}")
            continue
        identifier, timings, payload = block.split("\n", 2)
        found = TIMINGS.match(timings)
        if "-->" in identifier or not found or "-->" in payload:
            raise ValueError(f"not a cue: {block!r}")
        begin_ms, end_ms = (milliseconds(part) for part in found.groups())
        if begin_ms >= end_ms or (spans and begin_ms < spans[-1][0]):
            raise ValueError(f"runs backwards: {timings!r}")
        _check_payload(payload, begin_ms, end_ms)
        spans.append((begin_ms, end_ms))
    return spans


def _check_payload(payload: str, begin_ms: int, end_ms: int) -> None:
    at, last_ms, opened = 0, begin_ms, []
    while at < len(payload):
        found = TOKEN.match(payload, at)
        if not found:
            raise ValueError(f"not cue text: {payload[at : at + 20]!r}")
        if found["time"]:
            if not last_ms < milliseconds(found["time"]) < end_ms:
                raise ValueError(f"a time out of order: {payload!r}")
            last_ms = milliseconds(found["time"])
        if found["open"]:
            if (found["open"] == "v") != bool(found["note"]):
                raise ValueError(f"a voice without a name, or a name without a voice: {payload!r}")
            opened.append(found["open"])
        if found["close"] and (not opened or opened.pop() != found["close"]):
            raise ValueError(f"closed and not open: {payload!r}")
        at = found.end()
    if opened:
        raise ValueError(f"open and not closed: {payload!r}")
