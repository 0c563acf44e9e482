"""The cost of a call, and an upper bound before it is sent.

Prices are data in the profile, each with its date and source. Money is counted in whole nano-USD (10⁻⁹ USD), rounded
up. So sums are exact: a price of 0.15 USD per million tokens is 150 nano-USD per token.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

Detail = Literal["low", "high", "auto"]

NANO_PER_USD = 1_000_000_000

# Tokens that an endpoint adds around a message (roles, separators, the start of the answer): published counts are below
# 12; the rest is margin.
MESSAGE_OVERHEAD_TOKENS = 64

# Published method to count a picture's tiles: fit it into 2048 x 2048, its short side into 768, cover it with 512 px.
MAX_SIDE_PX, SHORT_SIDE_PX, TILE_PX, PATCH_PX = 2048, 768, 512, 32


def nanousd(usd: float) -> int:
    """Convert USD to nano-USD, rounded down, so that a limit is never exceeded.

    >>> nanousd(0.25)
    250000000
    """
    return math.floor(Fraction(str(usd)) * NANO_PER_USD)


def usd(nanousd: int | None) -> float | None:
    """Convert nano-USD to USD; None stays None."""
    return None if nanousd is None else nanousd / NANO_PER_USD


def format_usd(usd: float) -> str:
    """Return US dollars as text, with enough digits for the price of one frame.

    >>> format_usd(0.0), format_usd(0.00042), format_usd(12.5)
    ('$0', '$0.0004', '$12.50')
    """
    return "$0" if usd == 0 else f"${usd:.4f}" if usd < 1 else f"${usd:.2f}"


def n_tiles(width: int, height: int) -> int:
    """Return how many tiles of 512 px cover a picture after the published scaling, which never enlarges.

    >>> n_tiles(1024, 1024), n_tiles(2048, 4096), n_tiles(640, 360)
    (4, 6, 2)
    """
    scale = min(Fraction(1), Fraction(MAX_SIDE_PX, max(width, height)), Fraction(SHORT_SIDE_PX, min(width, height)))
    return math.ceil(width * scale / TILE_PX) * math.ceil(height * scale / TILE_PX)


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model on a given day, and how the model counts pictures.

    There are two published methods: tiles (`image_base_tokens` plus `image_tile_tokens` per tile; at low detail the
    base alone) and patches (`image_patch_tokens` for each patch of 32 px, at most `image_max_patches`).
    """

    model: str
    input_usd_per_million: float
    output_usd_per_million: float
    as_of: date
    source: str
    image_base_tokens: int = 0
    image_tile_tokens: int = 0
    image_patch_tokens: float = 0.0
    image_max_patches: int = 1536

    @property
    def counts_pictures(self) -> bool:
        """Whether a call has an upper bound: the model is free, or the price says how pictures count."""
        free = self.input_usd_per_million == 0 and self.output_usd_per_million == 0
        return free or bool(self.image_base_tokens or self.image_tile_tokens or self.image_patch_tokens)

    def cost_nanousd(self, input_tokens: int, output_tokens: int) -> int:
        """Return the cost of a call in nano-USD, rounded up, without discounts for cached input."""
        millionths = Fraction(str(self.input_usd_per_million)) * input_tokens
        millionths += Fraction(str(self.output_usd_per_million)) * output_tokens
        return math.ceil(millionths * (NANO_PER_USD // 1_000_000))

    def image_tokens(self, width: int, height: int, detail: Detail) -> int:
        """Return the most tokens that a picture may count for. `auto` counts as high, which it may become."""
        tiles = 0 if detail == "low" else n_tiles(width, height)
        patches = min(math.ceil(width / PATCH_PX) * math.ceil(height / PATCH_PX), self.image_max_patches)
        by_patches = math.ceil(Fraction(str(self.image_patch_tokens)) * patches)
        return self.image_base_tokens + self.image_tile_tokens * tiles + by_patches

    def bound_nanousd(self, text: str, width: int, height: int, detail: Detail, max_tokens: int) -> int:
        """Return the most that a call can cost, in nano-USD.

        A token has at least one byte, so the text has at most as many tokens as bytes.

        Args:
            text: all text that is sent: the prompt, and the schema of a structured answer.
            width: of the picture, pixels.
            height: of the picture, pixels.
            detail: as requested.
            max_tokens: limit of the answer.
        """
        input_tokens = len(text.encode()) + MESSAGE_OVERHEAD_TOKENS + self.image_tokens(width, height, detail)
        return self.cost_nanousd(input_tokens, max_tokens)


def price_of(model: str, prices: Iterable[Price]) -> Price | None:
    """Return the price of exactly this model: a dated snapshot may cost more or less than its family."""
    return next((price for price in prices if price.model == model), None)
