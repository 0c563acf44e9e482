import os
import pickle

import cv2
import h5py
import numpy as np
import polars as pl
import pytest
import torch
from torch.utils.data import DataLoader, Subset, WeightedRandomSampler

from vidassets.errors import ArtifactDamaged, ArtifactMissing, InvalidSetting
from vidassets.spatter.dataset.index import index_crops
from vidassets.spatter.dataset.labels import BuildLabels
from vidassets.spatter.dataset.splits import crops_of
from vidassets.spatter.dataset.torch_crops import TorchCrops
from vidassets_tests.spatter.crops_files import build_crops, jpeg, jpegs, model_input


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("builds")
    return [
        build_crops(folder, "low", jpegs(10), n_layers=3, per_dataset=4),
        build_crops(folder, "high", jpegs(6, first=20), n_layers=3, per_dataset=4, padded=True),
        build_crops(folder, "new", jpegs(2, first=30)),
    ]


@pytest.fixture(scope="module")
def index(builds):
    return index_crops(builds, {"low": BuildLabels("low"), "high": BuildLabels("high")})


@pytest.fixture(scope="module")
def files(builds):
    return {build.file: build.path for build in builds}


@pytest.fixture
def dataset(index, files):
    with_options = []

    def make(rows=index, **options):
        with_options.append(TorchCrops(rows, files=files, **options))
        return with_options[-1]

    yield make
    for crops in with_options:
        crops.close()


def stored(builds):
    """Every crop as its JPEG, in the index's order: by build, then event."""
    of_build = {"low": jpegs(10), "high": jpegs(6, first=20), "new": jpegs(2, first=30)}
    return [crop for name in sorted(of_build) for crop in of_build[name]]


def test_an_item_is_the_crop_as_it_is_judged_and_its_label(dataset, builds, index):
    crops = dataset()
    assert len(crops) == 18
    for number, data in enumerate(stored(builds)):
        picture, label = crops[number]
        assert np.array_equal(picture.numpy(), model_input(data))
        assert (
            label.item()
            == {"high": 1, "low": 0, "new": pytest.approx(float("nan"), nan_ok=True)}[index["build"][number]]
        )
    assert (picture.dtype, label.dtype, label.shape) == (torch.float32, torch.float32, ())


def test_gray_items_have_three_equal_channels(dataset, builds):
    picture, _ = dataset(colour="gray")[3]
    assert np.array_equal(picture.numpy(), model_input(stored(builds)[3], colour="gray"))
    assert torch.equal(picture[0], picture[2])


def test_a_batch_in_any_order_and_with_repeats_is_its_items(dataset):
    crops = dataset()
    wanted = [13, 2, 2, 17, 0, 9, 13, 1]
    batch = crops.__getitems__(wanted)
    assert all(torch.equal(picture, crops[number][0]) for number, (picture, _) in zip(wanted, batch, strict=True))


@pytest.mark.parametrize("number", [18, -19])
def test_a_missing_item_is_an_index_error(dataset, number):
    with pytest.raises(IndexError, match="of 18"):
        dataset()[number]


def test_items_count_from_the_end_as_well(dataset):
    crops = dataset()
    assert torch.equal(crops[-1][0], crops[17][0])


def test_a_part_of_the_index_is_a_dataset(dataset, index):
    rows = crops_of(index, "split_layer", "test")
    crops = dataset(rows)
    assert [crops[number][1].item() for number in range(len(crops))] == rows["label"].to_list()
    assert crops.crops.equals(rows)


def test_a_share_of_classes_leaves_crops_out(dataset, index):
    crops = dataset(index.drop_nulls("label"), high_share=0.5)
    assert len(crops) == 12
    assert crops.labels.mean().item() == 0.5


def test_an_augmented_crop_depends_on_seed_epoch_and_number_alone(dataset):
    def pictures(crops, order):
        return {number: crops[number][0] for number in order}

    first = pictures(dataset(augment=True), range(18))
    again = pictures(dataset(augment=True), reversed(range(18)))
    assert all(torch.equal(first[number], again[number]) for number in first)
    later = dataset(augment=True)
    later.set_epoch(1)
    for other in (pictures(later, range(18)), pictures(dataset(augment=True, seed=5), range(18))):
        assert not any(torch.equal(first[number], other[number]) for number in first)


def test_without_augmentation_a_crop_is_the_same_in_every_epoch(dataset):
    crops = dataset()
    first = crops[4][0]
    crops.set_epoch(3)
    assert torch.equal(crops[4][0], first)


@pytest.mark.parametrize("unpacked", [False, True], ids=["packed", "unpacked"])
def test_a_pickled_dataset_is_the_same_dataset(dataset, unpacked, tmp_path):
    crops = dataset(augment=True, unpack_in=tmp_path if unpacked else None)
    crops.set_epoch(2)
    before = crops[4]  # its files are open
    again = pickle.loads(pickle.dumps(crops))
    assert len(again) == 18
    assert torch.equal(again[4][0], before[0])
    again.close()


def test_unpacked_crops_are_the_same_crops(dataset, tmp_path):
    packed, unpacked = dataset(augment=True), dataset(augment=True, unpack_in=tmp_path)
    assert all(torch.equal(unpacked[number][0], packed[number][0]) for number in range(18))
    assert len(list(tmp_path.iterdir())) == 1


def test_unpacked_crops_no_longer_need_the_crops_file(tmp_path, index):
    build = build_crops(tmp_path, "low", jpegs(10), per_dataset=4)
    crops = TorchCrops(index.filter(build="low"), files={build.file: build.path}, unpack_in=tmp_path)
    crops.close()
    build.path.unlink()
    assert np.array_equal(crops[7][0].numpy(), model_input(jpegs(10)[7]))
    crops.close()


@pytest.mark.runs
@pytest.mark.parametrize(
    ("start", "unpacked"),
    [
        pytest.param("fork", False, id="forked"),
        pytest.param("fork", True, id="forked, unpacked"),
        pytest.param("spawn", False, id="spawned"),
    ],
)
def test_workers_give_what_this_process_gives(dataset, start, unpacked, tmp_path):
    crops = dataset(augment=True, unpack_in=tmp_path if unpacked else None)
    expected = [crops[number][0] for number in range(18)]  # its files are open when the worker starts
    loader = DataLoader(crops, batch_size=5, num_workers=1, multiprocessing_context=start)
    assert torch.equal(torch.cat([pictures for pictures, _ in loader]), torch.stack(expected))
    assert torch.equal(crops[0][0], expected[0])


def test_a_persistent_worker_rotates_crops_by_new_angles_in_each_epoch(dataset):
    crops = dataset(augment=True)
    loader = DataLoader(crops, batch_size=18, num_workers=1, multiprocessing_context="fork", persistent_workers=True)
    for epoch in range(2):
        crops.set_epoch(epoch)
        ((pictures, _),) = loader
        assert torch.equal(pictures, torch.stack([crops[number][0] for number in range(18)]))


def test_a_forked_process_leaves_the_files_of_its_parent_open(dataset):
    crops = dataset()
    first = crops[0][0]
    if not (child := os.fork()):
        os._exit(0 if torch.equal(crops[0][0], first) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert torch.equal(crops[9][0], dataset()[9][0])


def test_subsets_and_samplers_of_torch_accept_the_dataset(dataset):
    crops = dataset()
    sampler = WeightedRandomSampler([1.0] * 4, 30, generator=torch.Generator().manual_seed(1))
    pictures, labels = next(iter(DataLoader(Subset(crops, [3, 7, 11, 15]), batch_size=30, sampler=sampler)))
    assert pictures.shape == (30, 3, 32, 32)
    assert labels.shape == (30,)


def test_a_dataset_without_crops_has_no_items(dataset, index, tmp_path):
    assert len(dataset(index.clear(), unpack_in=tmp_path)) == 0


def test_a_file_without_an_entry_is_a_path_itself(index, builds, dataset):
    paths = {build.file: str(build.path) for build in builds}
    crops = TorchCrops(index.with_columns(pl.col("file").replace_strict(paths)))
    assert torch.equal(crops[5][0], dataset()[5][0])
    crops.close()


def test_excluded_rows_are_refused(index):
    with pytest.raises(InvalidSetting, match="18 of 18 crops are excluded"):
        TorchCrops(index.with_columns(excluded=pl.lit("all black")))


def test_a_missing_file_is_reported(index):
    with pytest.raises(ArtifactMissing, match=r"s3://store/high\.h5: no crops file"):
        TorchCrops(index)[0]


def test_a_file_that_was_extracted_again_with_fewer_crops_is_reported(tmp_path, index, files):
    shorter = build_crops(tmp_path, "low", jpegs(2))
    crops = TorchCrops(index.filter(build="low"), files=files | {shorter.file: shorter.path})
    assert crops[0][0].shape == (3, 32, 32)
    with pytest.raises(ArtifactDamaged, match=r"low\.h5: cannot be read as HDF5"):
        crops[3]
    crops.close()


def test_a_crop_that_does_not_decode_any_more_is_named(tmp_path, index, files):
    broken = build_crops(tmp_path, "low", [*jpegs(1), b"text", *jpegs(8)], per_dataset=4)
    crops = TorchCrops(index.filter(build="low"), files=files | {broken.file: broken.path})
    with pytest.raises(ArtifactDamaged, match=r"low\.h5: crop 1 of low_0 no longer decodes"):
        crops[1]
    crops.close()


def test_existing_readers_open_the_same_file(builds):
    with h5py.File(builds[0].path) as file:
        pixels = cv2.imdecode(np.frombuffer(file["low_1"][2], np.uint8), -1)
    assert np.array_equal(pixels, cv2.imdecode(np.frombuffer(jpegs(10)[6], np.uint8), -1))
    assert jpeg(pixels)
