"""The device that a torch model runs on."""

from vidassets.errors import DeviceUnavailable


def resolve_device(wanted: str) -> str:
    """cpu or cuda:N.

    Raises:
        DeviceUnavailable: a GPU is asked for, and torch sees none, or not that many.
    """
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and n_gpus == 0):
        return "cpu"
    _, _, index = wanted.partition(":")
    if int(index or 0) >= n_gpus:
        raise DeviceUnavailable(
            f"{wanted}: torch {torch.__version__} sees {n_gpus} GPUs. Set `device: auto` or `device: cpu` for "
            "shot_model in the profile, or install the driver and a torch built for CUDA."
        )
    return f"cuda:{index or 0}"
