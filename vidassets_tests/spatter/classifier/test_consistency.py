import numpy as np
import pytest
import torch

from vidassets.errors import InvalidSetting
from vidassets.spatter.classifier.consistency import (
    ConsistencySettings,
    classes_of,
    compare_with_supervised,
    strongly_distorted,
    train_consistency,
    weakly_distorted,
)
from vidassets.spatter.classifier.lenet import LeNet
from vidassets_tests.spatter.crops_files import model_input
from vidassets_tests.spatter.scored_builds import jpeg_of, spatter_picture


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def spatter_crops(seed: int, n_crops: int) -> tuple[np.ndarray, np.ndarray]:
    """Return crops of both flows alternately, and the flow of each."""
    rng = np.random.default_rng(seed)
    flows = np.arange(n_crops) % 2
    crops = [model_input(jpeg_of(spatter_picture(rng, bool(flow)))) for flow in flows]
    return np.stack(crops), flows.astype(np.int64)


def shade_network() -> torch.nn.Module:
    """Return a network with three classes that sees only the mean colour."""
    return torch.nn.Sequential(
        torch.nn.AvgPool2d(32), torch.nn.Flatten(), torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)
    )


SHORT = ConsistencySettings(steps=3, batch_crops=4, unlabelled_ratio=2)


def clear_crops(seed: int, n_crops: int) -> tuple[np.ndarray, np.ndarray]:
    """Return streaks and droplets, drawn at 32 px, and the kind of each."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n_crops) % 2
    rows, columns = np.mgrid[0:32, 0:32].astype(np.float32)
    crops = []
    for kind in kinds:
        angle = rng.uniform(0, np.pi)
        length, breadth = rng.uniform(4, 6, 2) if kind else (rng.uniform(9, 13), rng.uniform(2.5, 4))
        x, y = rng.uniform(13, 19, 2)
        along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        aside = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        light = rng.uniform(0.4, 0.95) * np.exp(-((along / length) ** 2) - (aside / breadth) ** 2)
        hot = light * np.array([1, 0.8, 0.5])[:, None, None]
        crops.append(np.clip(hot + rng.normal(0.05, 0.03, (3, 32, 32)), 0, 1))
    return np.array(crops, np.float32), kinds.astype(np.int64)


def test_unlabelled_crops_improve_on_a_few_labelled_ones():
    # By 9 points on this draw of labels, by 1 to 11 on others: see benchmarks/spatter_consistency.py.
    settings = ConsistencySettings(steps=200, batch_crops=8, unlabelled_ratio=5, seed=3)
    compared = compare_with_supervised(LeNet, clear_crops(53, 8), clear_crops(1, 400)[0], clear_crops(2, 300), settings)
    assert compared.consistency_accuracy > compared.supervised_accuracy + 0.03


def test_the_same_seed_gives_the_same_network():
    few, many = spatter_crops(1, 4), spatter_crops(2, 8)[0]
    first, second = (train_consistency(LeNet, *few, many, SHORT).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train_consistency(LeNet, *spatter_crops(1, 4), None, SHORT)
    assert torch.equal(torch.rand(2), expected)


def test_several_classes_are_learned():
    shade = np.repeat(np.array([0, 1, 2]), 8)
    crops = np.broadcast_to((shade / 2).astype(np.float32)[:, None, None, None], (24, 3, 32, 32)).copy()
    settings = ConsistencySettings(steps=200, batch_crops=16, learning_rate=0.02)
    network = train_consistency(shade_network, crops, shade, None, settings)
    assert classes_of(network, crops).tolist() == shade.tolist()


@pytest.mark.parametrize("distorted", [weakly_distorted, strongly_distorted])
def test_distorted_crops_keep_their_form(distorted):
    crops = torch.from_numpy(spatter_crops(1, 6)[0])
    answer = distorted(crops)
    assert answer.shape == crops.shape
    assert 0 <= answer.min() <= answer.max() <= 1
    assert not torch.equal(answer, crops)


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "test"),
    [pytest.param(0, 4, 4, id="labelled"), pytest.param(4, 0, 4, id="unlabelled"), pytest.param(4, 4, 0, id="test")],
)
def test_a_comparison_without_crops_is_refused(labelled, unlabelled, test):
    crops, classes = spatter_crops(1, 4)
    with pytest.raises(InvalidSetting, match=r"at least (1|one)"):
        compare_with_supervised(
            LeNet, (crops[:labelled], classes[:labelled]), crops[:unlabelled], (crops[:test], classes[:test]), SHORT
        )
