"""Pictures on an asset's page: inside the Markdown itself, so that the page needs no other server."""

from base64 import b64encode


def picture(image: bytes, alt: str) -> str:
    """Markdown that shows a JPEG or PNG."""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"![{alt}](data:image/{kind};base64,{b64encode(image).decode()})"


def table(rows: dict[str, object]) -> str:
    """A two-column Markdown table.

    >>> print(table({"frames": 3}))
    | | |
    |---|---|
    | frames | 3 |
    """
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
