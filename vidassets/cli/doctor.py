"""Checks of a deployment. Each finding is good or bad; a bad one says how to fix it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg

from vidassets.deployment import Deployment
from vidassets.errors import DescriberError, DeviceUnavailable, VidassetsError

ANSWER_WITHIN_S = 5.0
LEAST_FREE_BYTES = 2 * 2**30  # chosen here: some thousand clips' frames at the default interval


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    good: bool
    said: str


def examine(deployment: Deployment) -> Iterator[Finding]:
    """Yield findings on Python, profile, store, models, devices, credentials, decoder, disk and instance."""
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}")
    yield Finding("profile", True, str(deployment.settings.profile_path))
    yield _asked("store", lambda: _store(deployment))
    yield _asked("leftovers", lambda: _leftovers(deployment))
    for key, resource in sorted(deployment.profile.resources.items()):
        if hasattr(resource, "identity"):
            yield _asked(key, lambda resource=resource: _model(resource))
        yield from _credentials(key, resource)
        declared = type(resource).model_fields.get("base_url")
        if declared and (address := getattr(resource, "base_url", None)) != declared.default:
            yield _asked(f"{key} address", lambda address=address: _answers(str(address)))
    yield _asked("graph", lambda: _graph(deployment))
    yield _asked("decoder", _decoder)
    yield _devices()
    yield _disk(deployment)
    yield _asked("instance", lambda: _instance(deployment))


def _asked(what: str, question: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, question())
    except VidassetsError as error:
        return Finding(what, False, str(error))


def _store(deployment: Deployment) -> str:
    deployment.store.check()
    return f"{getattr(deployment.profile.resources['store'], 'root', '')}: written, read and deleted a probe"


def _leftovers(deployment: Deployment) -> str:
    """Remove unfinished writes older than a day, and say how many there were."""
    removed = deployment.store.sweep()
    return f"{removed} unfinished writes of killed processes, older than a day: removed" if removed else "none"


def _model(resource: dg.ConfigurableResource) -> str:
    identity: dict[str, str] = getattr(resource, "identity")()  # noqa: B009 - not every resource has one
    shown = ", ".join(f"{name} {value[:24]}" for name, value in identity.items() if "prompt" not in name)
    device = str(getattr(resource, "device", "") or "")
    if device.startswith("cuda") and not _gpus():
        raise DeviceUnavailable(f"device {device}, and torch sees no GPU. Set device: cpu, or fix the driver.")
    return f"{type(resource).__name__}: {shown}" + (f", device {device}" if device else "")


def _answers(address: str) -> str:
    """Check that a server answers at this address; an HTTP error is an answer, too."""
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/models", timeout=ANSWER_WITHIN_S):  # noqa: S310 - http(s) by its field
            pass
    except urllib.error.HTTPError:
        pass
    except OSError as error:
        raise DescriberError(f"{address}: {error}. Start the server, or correct base_url in the profile.") from error
    return f"{address} answers"


def _credentials(key: str, resource: dg.ConfigurableResource) -> Iterator[Finding]:
    """Check that the variables that the profile names are set; their values are not read."""
    for name in type(resource).model_fields:
        value = getattr(resource, name, None)
        if isinstance(value, dg.EnvVar):
            is_set = bool(os.environ.get(value.env_var_name))
            state = "set" if is_set else "not set; export it, or remove it from the profile"
            yield Finding(f"{key} credentials", is_set, f"{name} from {value.env_var_name}: {state}")


def _graph(deployment: Deployment) -> str:
    assets = deployment.definitions.resolve_asset_graph().materializable_asset_keys
    return f"{len(assets)} assets under this profile's settings"


def _decoder() -> str:
    return f"PyAV {importlib.metadata.version('av')} brings its own ffmpeg libraries; no ffmpeg program is needed"


def _devices() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("devices", True, f"{os.cpu_count()} CPU cores; torch is not installed, so GPUs are not checked")
    version = importlib.metadata.version("torch")
    return Finding("devices", True, f"{os.cpu_count()} CPU cores; {', '.join(_gpus()) or 'no GPU'}; torch {version}")


def _gpus() -> list[str]:
    """Return the names of the GPUs that torch sees; none if torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _disk(deployment: Deployment) -> Finding:
    home = deployment.settings.home
    folder = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    return Finding("disk", free >= LEAST_FREE_BYTES, f"{free / 2**30:.1f} GiB free at {folder}")


def _instance(deployment: Deployment) -> str:
    registered = len(deployment.instance.get_dynamic_partitions("clips"))
    return f"{deployment.settings.dagster_home}: {registered} clips registered"
