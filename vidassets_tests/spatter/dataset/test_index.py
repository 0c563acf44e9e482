import csv
import io
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from vidassets.errors import ArtifactDamaged, ArtifactMissing, NotACropsFile
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.dataset.index import BuildCrops, exclusion_counts, images_csv, index_crops
from vidassets.spatter.dataset.labels import BuildLabels
from vidassets.spatter.dataset.stored_crops import StoredCrops
from vidassets.storage.tables import check_table
from vidassets_tests.spatter.crops_files import build_crops, events, jpeg, jpegs, picture, write_crops_file

LOW, HIGH = BuildLabels("low", "left", {"machine": "M2"}), BuildLabels("high", "right")


def with_events(crops, layers):
    return BuildCrops(crops.build, crops.file, crops.path, events(crops.build, layers))


def test_a_row_holds_the_place_and_the_label_of_a_crop(tmp_path):
    index = index_crops([build_crops(tmp_path, "b1", jpegs(5), n_layers=2, per_dataset=3)], {"b1": LOW})
    assert index.select("event_index", "file", "dataset", "ds_idx", "layer", "label", "position").rows() == [
        (0, "s3://store/b1.h5", "b1_0", 0, 0, 0, "left"),
        (1, "s3://store/b1.h5", "b1_0", 1, 0, 0, "left"),
        (2, "s3://store/b1.h5", "b1_0", 2, 0, 0, "left"),
        (3, "s3://store/b1.h5", "b1_1", 0, 1, 0, "left"),
        (4, "s3://store/b1.h5", "b1_1", 1, 1, 0, "left"),
    ]
    assert index["labels_json"].unique().to_list() == ['{"gas_flow": "low", "machine": "M2", "position": "left"}']


def test_the_index_keeps_its_schema(tmp_path):
    builds = [build_crops(tmp_path, f"b{n}", jpegs(6), n_layers=3) for n in range(7)]
    labels = {f"b{n}": (LOW, HIGH)[n % 2] for n in range(6)}
    index = index_crops(builds, labels)
    assert check_table(index, spatter_schemas.SpatterIndex).height == 42
    assert index.group_by("label").agg(pl.col("split_build").n_unique()).sort("label").rows() == [
        (None, 1),
        (0, 3),
        (1, 3),
    ]


def test_the_order_of_builds_changes_nothing(tmp_path):
    builds = [build_crops(tmp_path, f"b{n}", jpegs(9), n_layers=3) for n in range(2)]
    labels = {"b0": LOW, "b1": HIGH}
    assert index_crops(builds, labels).equals(index_crops(reversed(builds), labels))


def test_a_build_without_labels_is_in_the_index_and_in_no_split(tmp_path):
    builds = [build_crops(tmp_path, "b1", jpegs(4)), build_crops(tmp_path, "b2", jpegs(4))]
    index = index_crops(builds, {"b2": BuildLabels(position="mid")})
    assert index.select(pl.col("label", "split_random", "split_layer", "split_build").null_count()).row(0) == (8,) * 4
    assert index.select("build", "position").unique().sort("build").rows() == [("b1", None), ("b2", "mid")]


def test_a_build_without_spatter_adds_nothing(tmp_path):
    empty = BuildCrops("b1", "b1.h5", write_crops_file(tmp_path / "b1.h5", "b1", []), events("b1", []))
    assert check_table(index_crops([empty], {"b1": LOW}), spatter_schemas.SpatterIndex).height == 0
    assert check_table(index_crops([], {}), spatter_schemas.SpatterIndex).height == 0


def test_crops_that_are_black_or_do_not_decode_are_excluded_with_the_reason_and_counted(tmp_path):
    crops = jpegs(6)
    crops[1] = jpeg(np.zeros((40, 40, 3), np.uint8))
    crops[2] = b"no picture \xff\xd9"
    crops[3] = crops[3][:-40]
    crops[4] = b"\xff"
    index = index_crops([build_crops(tmp_path, "b1", crops)], {"b1": LOW})
    assert index["excluded"].to_list() == [None, "all black", *["undecodable"] * 3, None]
    assert index["split_random"].is_null().to_list() == [False, True, True, True, True, False]
    assert exclusion_counts(index).rows() == [("b1", "all black", 1), ("b1", "undecodable", 3), ("b1", "used", 2)]


def test_crops_of_builds_without_labels_are_counted_as_such(tmp_path):
    index = index_crops([build_crops(tmp_path, "b1", jpegs(4))], {})
    assert exclusion_counts(index).rows() == [("b1", "not labelled", 4)]


def test_files_with_padded_crops_are_read(tmp_path):
    index = index_crops([build_crops(tmp_path, "b1", jpegs(5), padded=True)], {"b1": LOW})
    assert index["excluded"].null_count() == 5


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        pytest.param([0] * 5, "holds 4 of the 5 crops", id="more events than crops"),
        pytest.param([0] * 3, "holds 4 of the 3 crops", id="fewer"),
        pytest.param([], "holds 0 of the 0 crops.*datasets b1_0", id="none"),
    ],
)
def test_events_of_another_extraction_are_refused(tmp_path, layers, said):
    crops = with_events(build_crops(tmp_path, "b1", jpegs(4)), layers)
    with pytest.raises(ArtifactDamaged, match=rf"b1\.h5: {said}.*Extract its crops again"):
        index_crops([crops], {"b1": LOW})


def test_a_missing_file_is_reported(tmp_path):
    crops = build_crops(tmp_path, "b1", jpegs(4))
    crops.path.unlink()
    with pytest.raises(ArtifactMissing, match=r"s3://store/b1\.h5: no crops file at .*b1\.h5"):
        index_crops([crops], {})


@pytest.mark.parametrize("keep", [0, 100, 2000, 9000], ids="{} bytes".format)
def test_a_file_that_was_cut_is_damaged(tmp_path, keep):
    crops = build_crops(tmp_path, "b1", jpegs(8))
    data = crops.path.read_bytes()
    assert len(data) > keep
    crops.path.write_bytes(data[:keep])
    with pytest.raises(ArtifactDamaged, match=r"b1\.h5: cannot be read as HDF5.*Extract its crops again"):
        index_crops([crops], {})


def test_a_text_file_is_damaged(tmp_path):
    crops = build_crops(tmp_path, "b1", jpegs(4))
    crops.path.write_text("not an HDF5 file")
    with pytest.raises(ArtifactDamaged, match="cannot be read as HDF5"):
        index_crops([crops], {})


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(np.zeros((4, 3)), id="numbers in two dimensions"),
        pytest.param(np.zeros(4, np.uint8), id="bytes"),
        pytest.param(None, id="a group"),
    ],
)
def test_another_programs_file_is_refused(tmp_path, stored):
    crops = build_crops(tmp_path, "b1", jpegs(4))
    with h5py.File(crops.path, "w") as file:
        file.create_group("b1_0") if stored is None else file.create_dataset("b1_0", data=stored)
    with pytest.raises(NotACropsFile, match=r"b1\.h5: .*b1_0"):
        index_crops([crops], {})


def linked(file: h5py.File, secret: Path) -> None:
    file["b1_0"] = h5py.ExternalLink(str(secret), "secret")


def external(file: h5py.File, secret: Path) -> None:
    raw = secret.with_suffix(".raw")
    raw.write_bytes(b"x" * 64)
    file.create_dataset("b1_0", (2,), "S32", external=[(str(raw), 0, 64)])


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((2,), "S32")
    layout[:] = h5py.VirtualSource(str(secret), "secret", (2,), "S32")
    file.create_virtual_dataset("b1_0", layout)


def soft(file: h5py.File, secret: Path) -> None:
    file["outside"] = h5py.ExternalLink(str(secret), "/")
    file["b1_0"] = h5py.SoftLink("/outside/secret")


def long(file: h5py.File, secret: Path) -> None:
    file.create_dataset("b1_0", (2,), f"S{2**30}", chunks=(1,))


@pytest.mark.parametrize("write", [linked, external, virtual, soft, long])
def test_a_file_that_points_into_other_files_or_asks_for_gigabytes_is_refused(tmp_path, write):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file.create_dataset("secret", data=np.array(jpegs(2)))
    with h5py.File(tmp_path / "b1.h5", "w") as file:
        write(file, secret)
    with pytest.raises(NotACropsFile, match=r"b1\.h5: .*b1_0") as raised:
        StoredCrops().size(str(tmp_path / "b1.h5"), "b1_0")
    assert "Extract its crops again" in str(raised.value)


def test_a_file_without_the_dataset_names_what_it_holds(tmp_path):
    path = write_crops_file(tmp_path / "b1.h5", "b1", jpegs(2))
    with pytest.raises(NotACropsFile, match="has no dataset b2_0 of its own, but b1_0"):
        StoredCrops().jpegs(str(path), "b2_0", slice(0, 1))


def read_csv(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_images_csv_lists_usable_crops_shuffled_and_unshuffled(tmp_path):
    crops = [*jpegs(20), jpeg(np.zeros((40, 40, 3), np.uint8))]
    builds = [build_crops(tmp_path, name, crops, n_layers=3) for name in ("b0", "b1", "b2")]
    index = index_crops(builds, {"b0": LOW, "b1": HIGH})
    unshuffled, shuffled = read_csv(images_csv(index, seed=None)), read_csv(images_csv(index, seed=7))
    assert [(row["build"], row["ds_idx"]) for row in unshuffled] == [
        (b, str(n)) for b in ("b0", "b1") for n in range(20)
    ]
    assert unshuffled[0].keys() >= {"file", "dataset", "ds_idx", "label", "split_random", "split_layer", "split_build"}
    assert shuffled != unshuffled
    assert sorted(shuffled, key=str) == sorted(unshuffled, key=str)
    assert images_csv(index, seed=7) == images_csv(index, seed=7)


def test_a_row_of_images_csv_finds_its_crop(tmp_path):
    crops = [jpeg(picture(number)) for number in range(7)]
    build = build_crops(tmp_path, "b0", crops, per_dataset=3)
    row = read_csv(images_csv(index_crops([build], {"b0": LOW}), seed=None))[5]
    with h5py.File(build.path) as file:
        assert file[row["dataset"]][int(row["ds_idx"])].tobytes() == crops[5]


def test_a_build_that_cannot_be_read_is_reported_and_the_others_are_indexed(tmp_path):
    good, bad = build_crops(tmp_path, "good", jpegs(2)), build_crops(tmp_path, "bad", jpegs(2))
    bad.path.write_bytes(b"no HDF5")
    refused = {}
    index = index_crops([bad, good], {}, on_refused=lambda build, error: refused.update({build: error}))
    assert index["build"].unique().to_list() == ["good"]
    assert [(build, type(error)) for build, error in refused.items()] == [("bad", ArtifactDamaged)]


def test_if_no_build_can_be_read_the_index_is_empty_and_keeps_its_schema(tmp_path):
    bad = build_crops(tmp_path, "bad", jpegs(2))
    bad.path.write_bytes(b"no HDF5")
    index = index_crops([bad], {}, on_refused=lambda build, error: None)
    assert check_table(index, spatter_schemas.SpatterIndex).is_empty()
