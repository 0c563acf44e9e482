"""A half-open rectangle of pixels, passed between the steps of the extraction."""

from typing import NamedTuple


class Region(NamedTuple):
    """Columns x1 to x2 and rows y1 to y2; x2 and y2 are exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int

    def grown(self, margin_px: int, width: int, height: int) -> "Region":
        """Return the region enlarged by the margin on every side, within a picture of this size.

        >>> Region(5, 5, 9, 9).grown(6, width=12, height=100)
        Region(x1=0, y1=0, x2=12, y2=15)
        """
        return Region(
            max(0, self.x1 - margin_px),
            max(0, self.y1 - margin_px),
            min(width, self.x2 + margin_px),
            min(height, self.y2 + margin_px),
        )

    def moved(self, right_px: int) -> "Region":
        """Return the region shifted to the right."""
        return Region(self.x1 + right_px, self.y1, self.x2 + right_px, self.y2)

    def within(self, bounds: "Region") -> "Region | None":
        """Return the intersection with the bounds; None if it is empty.

        >>> Region(0, 0, 9, 9).within(Region(4, 0, 20, 5))
        Region(x1=4, y1=0, x2=9, y2=5)
        """
        x1, y1 = max(self.x1, bounds.x1), max(self.y1, bounds.y1)
        x2, y2 = min(self.x2, bounds.x2), min(self.y2, bounds.y2)
        return Region(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height."""
        return self.x2 - self.x1, self.y2 - self.y1
