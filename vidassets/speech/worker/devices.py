"""Which device it is to be, and what it is called."""

from .failure import WorkerFailure


def resolve_device(wanted: str, cpu_fallback: bool) -> tuple[str, list[str]]:
    """cpu or cuda:N, and what a person should know of the choice.

    Raises:
        WorkerFailure: a GPU is asked for, torch sees none or not that many, and the CPU is not allowed.
    """
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and n_gpus == 0):
        return "cpu", []
    index = int(wanted.partition(":")[2] or 0)
    if index < n_gpus:
        return f"cuda:{index}", []
    if cpu_fallback:
        return "cpu", [f"{wanted} is asked for, and there are {n_gpus} GPUs: on the CPU, as the profile allows"]
    raise WorkerFailure(
        "device_unavailable",
        f"{wanted}: torch {torch.__version__} sees {n_gpus} GPUs. Set `device: auto`, `device: cpu` or "
        "`cpu_fallback: true` in the profile, or install the driver and a torch built for CUDA.",
    )


def device_name(device: str) -> str:
    """The device, a GPU with its model."""
    import torch

    return device if device == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"
