"""The device that the worker's models run on."""

from vidassets.devices import resolve_device
from vidassets.errors import DeviceUnavailable

HOW_TO_FIX = (
    "Set `device: auto`, `device: cpu` or `cpu_fallback: true` in the profile, or install the driver and a torch "
    "built for CUDA."
)
MEMORY_TOO_SMALL = (
    "The device's memory does not hold one of the {}. Free it (`nvidia-smi` shows who uses it), choose a smaller "
    "model or compute_type, or set `device: cpu` or `cpu_fallback: true` in the profile."
)


def choose_device(wanted: str, cpu_fallback: bool) -> tuple[str, list[str]]:
    """Return cpu or cuda:N, and a note for people if the CPU replaces a missing GPU.

    Raises:
        DeviceUnavailable: torch has no such GPU, and the CPU is not allowed.
    """
    try:
        return resolve_device(wanted, HOW_TO_FIX), []
    except DeviceUnavailable:
        if not cpu_fallback:
            raise
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return "cpu", [f"{wanted} is missing (torch sees {n_gpus} GPUs): the CPU is used, as the profile allows"]
