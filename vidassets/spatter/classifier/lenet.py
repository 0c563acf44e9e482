"""LeNet-5 in two variants for spatter crops. Needs torch: import it inside functions only.

Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86(11),
1998. Different here: three input channels, pooling without weights, a second convolution that is connected to every
map of the first, and one logit instead of ten radial units.
"""

import torch
from torch import nn

CROP_SIZE_PX = 32
MAPS, HIDDEN = (6, 16), (120, 84)


class LeNet(nn.Module):
    """Two 5x5 convolutions, each with pooling, then linear layers 400 → 120 → 84 → 1.

    Args:
        classical: False: max pooling, no activation after a convolution, ReLU between the linear layers; reported as
            the better variant on real builds. True: tanh after convolutions and linear layers, average pooling followed
            by sigmoid.
        width: factor on the width of every layer except the last; 1 is LeNet-5, with 61,241 parameters.
    """

    def __init__(self, classical: bool = False, width: float = 1.0) -> None:
        super().__init__()
        maps_1, maps_2, hidden_1, hidden_2 = (max(1, round(n * width)) for n in (*MAPS, *HIDDEN))
        # 32 px → 28 → 14 → 10 → 5 px.
        side_px = ((CROP_SIZE_PX - 4) // 2 - 4) // 2
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, maps_1, kernel_size=5),
            *_pooled(classical),
            nn.Conv2d(maps_1, maps_2, kernel_size=5),
            *_pooled(classical),
            nn.Flatten(),
        )
        self.hidden = nn.Sequential(
            nn.Linear(maps_2 * side_px**2, hidden_1),
            _activation(classical),
            nn.Linear(hidden_1, hidden_2),
            _activation(classical),
        )
        self.output = nn.Linear(hidden_2, 1)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logit of high gas flow (N,) and the penultimate layer (N, 84).

        Args:
            crops: float32 (N, 3, 32, 32) in [0, 1].
        """
        embedding = self.hidden(self.convolutions(crops))
        return self.output(embedding).squeeze(1), embedding


def _pooled(classical: bool) -> list[nn.Module]:
    return [nn.Tanh(), nn.AvgPool2d(2), nn.Sigmoid()] if classical else [nn.MaxPool2d(2)]


def _activation(classical: bool) -> nn.Module:
    return nn.Tanh() if classical else nn.ReLU()
