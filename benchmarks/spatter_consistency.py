"""Consistency training on a few labels and many unlabelled crops, compared with supervised training on the labels.

    python -m benchmarks.spatter_consistency [--seeds 3] [--steps 600]

The crops are generated: droplets under high flow, streaks under low flow, with noise and overlapping ranges. Both
trainings use the same network (LeNet-5), labels, steps and seed, on one thread. The last line is the accuracy of a
network that is trained on the labels of all crops.
"""

import argparse
from dataclasses import replace

import numpy as np
import torch

from vidassets.spatter.classifier.consistency import (
    ConsistencySettings,
    classes_of,
    compare_with_supervised,
    train_consistency,
)
from vidassets.spatter.classifier.lenet import LeNet
from vidassets_tests.spatter.crops_files import model_input
from vidassets_tests.spatter.scored_builds import jpeg_of, spatter_picture

N_UNLABELLED, N_TEST = 2000, 1000


def spatter_crops(seed: int, n_crops: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    flows = np.arange(n_crops) % 2
    crops = [model_input(jpeg_of(spatter_picture(rng, bool(flow)))) for flow in flows]
    return np.stack(crops), flows.astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    torch.set_num_threads(1)
    many, test = spatter_crops(10, N_UNLABELLED), spatter_crops(11, N_TEST)
    settings = ConsistencySettings(steps=options.steps)
    print(f"accuracy on {N_TEST} crops, {N_UNLABELLED} unlabelled, {options.steps} steps, {options.seeds} seeds")
    print(f"{'labels':>8} {'supervised':>22} {'consistency':>22} {'better':>8}")
    for n_labels in (10, 20, 40, 100):
        pairs = []
        for seed in range(options.seeds):
            few = spatter_crops(100 + seed, n_labels)
            compared = compare_with_supervised(LeNet, few, many[0], test, replace(settings, seed=seed))
            pairs.append((compared.supervised_accuracy, compared.consistency_accuracy))
        table = np.array(pairs)
        cells = [f"{column.mean():.3f} ({column.min():.3f}-{column.max():.3f})" for column in table.T]
        print(
            f"{n_labels:>8} {cells[0]:>22} {cells[1]:>22} {int((table[:, 1] > table[:, 0]).sum()):>5} of {len(table)}"
        )
    every = train_consistency(LeNet, *many, None, settings)
    print(f"{N_UNLABELLED:>8} {(classes_of(every, test[0]) == test[1]).mean():>22.3f}")


if __name__ == "__main__":
    main()
