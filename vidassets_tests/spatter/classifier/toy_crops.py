"""Crops that are learned in a second: a bright blob on noise, small under low gas flow, large under high."""

import numpy as np
import torch
from torch.utils.data import Dataset


class ToyCrops(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Crops of low and high flow alternately. Item i of an epoch depends on seed, epoch and i alone.

    `overlap`: by how many pixels the ranges of blob sizes of the two flows overlap.
    """

    def __init__(self, n_crops: int, seed: int = 0, overlap: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        self.labels = torch.arange(n_crops) % 2 * 1.0
        self._radius = np.where(self.labels == 1, 8.0, 5.0) + rng.uniform(-1 - overlap, 1 + overlap, n_crops)
        self._centre = rng.uniform(13, 19, (n_crops, 2))
        self._seed, self._epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        y, x = np.ogrid[:32, :32]
        centre_y, centre_x = self._centre[index]
        distance = np.hypot(y - centre_y, x - centre_x)
        noise = np.random.default_rng((self._seed, self._epoch, index)).uniform(0, 0.1, (32, 32))
        gray = np.where(distance < self._radius[index], 0.9, 0.0) + noise
        picture = torch.from_numpy(np.repeat(gray[None], 3, axis=0).astype(np.float32))
        return picture, self.labels[index]
