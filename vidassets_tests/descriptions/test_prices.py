from datetime import date

import pytest

from vidassets.descriptions.prices import Price, n_tiles, nanousd, price_of, usd

DAY = date(2026, 11, 5)
MINI = Price("gpt-4o-mini", 0.15, 0.60, DAY, "a page", image_base_tokens=2833, image_tile_tokens=5667)
PATCHES = Price("gpt-4.1-mini", 0.40, 1.60, DAY, "a page", image_patch_tokens=1.62)


@pytest.mark.parametrize(
    ("width", "height", "tiles"),
    [
        pytest.param(1024, 1024, 4, id="short side to 768"),
        pytest.param(2048, 4096, 6, id="into 2048, then short side to 768"),
        pytest.param(4096, 8192, 6, id="very large"),
        pytest.param(128, 64, 1, id="small pictures are not made larger"),
        pytest.param(512, 513, 2, id="one pixel over a tile"),
        pytest.param(1920, 1080, 6, id="full HD"),
    ],
)
def test_tiles_are_counted_as_published(width: int, height: int, tiles: int):
    assert n_tiles(width, height) == tiles


@pytest.mark.parametrize(
    ("price", "detail", "size", "tokens"),
    [
        pytest.param(MINI, "low", (1920, 1080), 2833, id="low is the base, whatever the size"),
        pytest.param(MINI, "high", (128, 64), 8500, id="one tile"),
        pytest.param(MINI, "auto", (1920, 1080), 2833 + 6 * 5667, id="auto may turn into high"),
        pytest.param(PATCHES, "low", (1024, 1024), 1659, id="1024 patches by 1.62, rounded up"),
        pytest.param(PATCHES, "high", (4000, 1474), 2489, id="never more than 1536 patches"),
    ],
)
def test_the_most_tokens_that_a_picture_may_count_for(price: Price, detail, size: tuple[int, int], tokens: int):
    assert price.image_tokens(*size, detail) == tokens


def test_a_call_costs_its_tokens_by_the_million_rounded_up_to_a_nano_usd():
    assert MINI.cost_nanousd(2845, 100) == 2845 * 150 + 100 * 600
    assert Price("m", 0.0375, 0, DAY, "").cost_nanousd(1, 0) == 38


def test_the_bound_of_a_call_is_above_the_real_bill_of_such_a_call():
    # gpt-4o-mini, five words and a picture of 128x64: 2,845 input tokens at low detail, 8,512 at high.
    words = "Say what you see here"
    assert MINI.bound_nanousd(words, 128, 64, "low", 150) >= MINI.cost_nanousd(2845, 150)
    assert MINI.bound_nanousd(words, 128, 64, "high", 150) >= MINI.cost_nanousd(8512, 150)


def test_a_dated_snapshot_does_not_take_the_price_of_its_family():
    assert price_of("gpt-4o-mini", [PATCHES, MINI]) is MINI
    assert price_of("gpt-4o-mini-2024-07-18", [PATCHES, MINI]) is None


def test_a_limit_is_rounded_down_and_a_null_cost_stays_null():
    assert nanousd(0.1) == 100_000_000
    assert nanousd(1e-10) == 0
    assert usd(None) is None
    assert usd(487_500) == 0.0004875
