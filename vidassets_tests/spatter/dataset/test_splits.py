from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidassets.errors import InvalidSetting, OneClassOnly
from vidassets.spatter.dataset.splits import (
    PARTS,
    advised_split,
    check_both_classes,
    crops_of,
    split_counts,
    with_class_share,
    with_splits,
)

CROPS = {"build": pl.String, "layer": pl.Int32, "label": pl.Int8, "excluded": pl.String}


def crops(*builds, excluded=None):
    """Of each build (label, crops of each layer); build names b0, b1 …"""
    rows = [
        (f"b{number}", layer, label, excluded)
        for number, (label, layers) in enumerate(builds)
        for layer, size in enumerate(layers)
        for _ in range(size)
    ]
    return pl.DataFrame(rows, schema=CROPS, orient="row")


TWO_BUILDS = [(0, [10] * 5), (1, [20] * 5)]
SIX_BUILDS = [(label, [5, 5]) for label in (0, 1, 0, 1, 0, 1)]

groups_of_class = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=5), min_size=1, max_size=6)


def sizes(index, split):
    """(label, part) → crops."""
    counts = index.group_by("label", split).len().rows()
    return {(label, part): n for label, part, n in sorted(counts, key=str)}


def test_by_crop_each_class_is_split_60_20_20():
    index = with_splits(crops(*TWO_BUILDS), seed=1)
    assert sizes(index, "split_random") == {
        (0, "test"): 10,
        (0, "train"): 30,
        (0, "validation"): 10,
        (1, "test"): 20,
        (1, "train"): 60,
        (1, "validation"): 20,
    }


def test_by_layer_five_layers_a_class_are_three_one_and_one():
    index = with_splits(crops(*TWO_BUILDS), seed=1)
    assert sizes(index, "split_layer") == sizes(index, "split_random")
    assert index.group_by("build", "layer").agg(pl.col("split_layer").n_unique())["split_layer"].to_list() == [1] * 10


def test_by_build_three_builds_a_class_are_one_in_each_part():
    index = with_splits(crops(*SIX_BUILDS), seed=1)
    parts = index.group_by("build", "label").agg(pl.col("split_build").unique()).explode("split_build")
    assert sorted(parts.select("label", "split_build").rows()) == sorted((n, part) for n in (0, 1) for part in PARTS)


@given(low=groups_of_class, high=groups_of_class, seed=st.integers(0, 2**32))
def test_no_layer_and_no_build_is_in_two_parts_and_every_part_holds_both_classes(low, high, seed):
    index = with_splits(crops(*[(0, layers) for layers in low], *[(1, layers) for layers in high]), seed)
    for split, keys, n_groups in [
        ("split_build", ["build"], min(len(low), len(high))),
        ("split_layer", ["build", "layer"], min(sum(map(len, low)), sum(map(len, high)))),
    ]:
        if n_groups < 3:
            assert index[split].null_count() == index.height
        else:
            assert index[split].null_count() == 0
            assert index.group_by(keys).agg(pl.col(split).n_unique())[split].max() == 1
            assert index.select(split, "label").n_unique() == 6


@given(low=groups_of_class, high=groups_of_class)
def test_no_part_lacks_more_than_two_layers_of_its_share(low, high):
    layers = {0: [size for build in low for size in build], 1: [size for build in high for size in build]}
    index = with_splits(crops((0, layers[0]), (1, layers[1])), seed=3)
    if index["split_layer"].null_count():
        return
    for (label, part), n in sizes(index, "split_layer").items():
        share = {"train": 0.6, "validation": 0.2, "test": 0.2}[part] * sum(layers[label])
        assert n >= share - 2 * max(layers[label])


def test_with_few_builds_the_long_build_is_used_for_training():
    lengths = [(label, [crops]) for label in (0, 1) for crops in (3, 12, 4)]
    for seed in range(4):
        index = with_splits(crops(*lengths), seed)
        assert [sizes(index, "split_build")[label, "train"] for label in (0, 1)] == [12, 12]


def test_if_one_build_holds_most_crops_other_builds_are_used_for_training_too():
    lengths = [(label, [crops]) for label in (0, 1) for crops in (90, 15, 15, 15, 15, 15)]
    for seed in range(4):
        learnt = crops_of(with_splits(crops(*lengths), seed), "split_build", "train")
        assert learnt.group_by("label").agg(pl.col("build").n_unique()).sort("label").rows() == [(0, 3), (1, 3)]


def test_the_same_seed_gives_the_same_splits_and_another_seed_others():
    splits = [with_splits(crops(*SIX_BUILDS), seed) for seed in (5, 5, 6, 7, 8)]
    assert splits[0].equals(splits[1])
    assert any(not split["split_build"].equals(other["split_build"]) for split, other in pairwise(splits[1:]))
    assert not splits[1]["split_random"].equals(splits[2]["split_random"])


def test_rows_keep_their_order():
    table = crops(*SIX_BUILDS)
    assert with_splits(table, seed=1).select(table.columns).equals(table)


def test_crops_without_a_label_and_excluded_ones_are_in_no_part():
    table = pl.concat([crops(*TWO_BUILDS), crops((None, [3])), crops((0, [2]), excluded="all black")])
    index = with_splits(table, seed=1)
    unused = index.filter(pl.col("label").is_null() | pl.col("excluded").is_not_null())
    assert unused.height == 5
    assert unused.select(pl.col("split_random", "split_layer").null_count()).row(0) == (5, 5)
    assert index["split_layer"].null_count() == 5


def test_an_index_without_crops_has_no_rows():
    index = with_splits(crops(), seed=1)
    assert index.height == 0
    assert index.schema["split_build"] == pl.String


@pytest.mark.parametrize(
    ("builds", "split", "said"),
    [
        pytest.param(SIX_BUILDS, "split_build", "has never seen", id="three builds a class"),
        pytest.param(TWO_BUILDS, "split_layer", "fewer than three builds", id="two builds of many layers"),
        pytest.param([(0, [9]), (1, [9])], "split_random", "too good", id="two builds of one layer"),
    ],
)
def test_the_strictest_split_that_can_be_made_is_advised_with_the_reason(builds, split, said):
    advice = advised_split(with_splits(crops(*builds), seed=1))
    assert advice.split == split
    assert said in advice.reason


def test_crops_of_a_part_are_its_rows():
    index = with_splits(crops(*TWO_BUILDS), seed=1)
    parts = [crops_of(index, "split_layer", part) for part in PARTS]
    assert [rows.height for rows in parts] == [90, 30, 30]
    assert pl.concat(parts).sort(pl.all()).equals(index.sort(pl.all()))


@pytest.mark.parametrize(
    ("split", "part", "said"),
    [
        pytest.param(
            "split_build",
            "test",
            "this index has no split_build: a class has too few groups. Use split_layer",
            id="impossible",
        ),
        pytest.param("by_build", "test", "use one of split_build, split_layer, split_random", id="no such split"),
        pytest.param("split_layer", "val", "of train, validation, test", id="no such part"),
    ],
)
def test_a_missing_part_is_refused(split, part, said):
    with pytest.raises(InvalidSetting, match=said):
        crops_of(with_splits(crops(*TWO_BUILDS), seed=1), split, part)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        pytest.param(crops((1, [4]), (None, [2])), r"is of high flow \(builds b0\).*without it: b1", id="high only"),
        pytest.param(crops((0, [4])), r"is of low flow \(builds b0\).*without it: none", id="low only"),
        pytest.param(crops((None, [4])), "no usable crop has a label.*without it: b0", id="no labels"),
        pytest.param(crops((0, [4]), (1, [4]), excluded="undecodable"), "no usable crop", id="all excluded"),
        pytest.param(crops(), "no usable crop", id="no crops"),
    ],
)
def test_one_class_only_is_refused_naming_the_builds(table, said):
    with pytest.raises(OneClassOnly, match=said):
        check_both_classes(table)


def test_two_classes_pass():
    check_both_classes(crops(*TWO_BUILDS))


@given(n_low=st.integers(1, 60), n_high=st.integers(1, 60), high_share=st.floats(0.05, 0.95))
def test_a_share_of_classes_is_kept_within_one_crop_and_nothing_more_is_left_out(n_low, n_high, high_share):
    kept = with_class_share(crops((0, [n_low]), (1, [n_high])).with_row_index(), high_share, seed=1)
    n_kept = {label: kept.filter(pl.col("label") == label).height for label in (0, 1)}
    assert n_kept[0] == n_low or n_kept[1] == n_high
    assert abs(n_kept[1] - high_share * kept.height) <= 1
    assert kept["index"].is_sorted()
    assert kept["index"].is_unique().all()


@pytest.mark.parametrize("high_share", [0, 1, -0.5, float("nan")])
def test_an_invalid_share_is_refused(high_share):
    with pytest.raises(InvalidSetting, match="above 0 and below 1"):
        with_class_share(crops(*TWO_BUILDS), high_share, seed=1)


def test_a_share_of_classes_needs_both():
    with pytest.raises(OneClassOnly, match="no crop of class 1 among 4"):
        with_class_share(crops((0, [4])), 0.5, seed=1)


def test_counts_give_crops_layers_and_builds_of_each_part():
    counts = split_counts(with_splits(crops(*TWO_BUILDS), seed=1))
    assert counts.columns == ["split", "part", "label", "crops", "layers", "builds"]
    assert counts.filter(pl.col("split") == "split_layer").rows() == [
        ("split_layer", "train", 0, 30, 3, 1),
        ("split_layer", "train", 1, 60, 3, 1),
        ("split_layer", "validation", 0, 10, 1, 1),
        ("split_layer", "validation", 1, 20, 1, 1),
        ("split_layer", "test", 0, 10, 1, 1),
        ("split_layer", "test", 1, 20, 1, 1),
    ]
