"""A call of an asset's function in a process of its own: for a clip that has killed a process before.

The child gets its request on stdin and writes its answer to a file. It ends when its parent does.
"""

import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from vidassets.errors import ProcessKilled
from vidassets.graph.artifact import Artifact
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.step import call_and_store, decoders, load_inputs, open_shared

MAX_SECONDS = 6 * 3600  # chosen here: several times what an episode takes on a CPU
MEMORY_SHARE = 0.8  # chosen here: of the memory that this machine or its container has


@dataclass(frozen=True)
class IsolatedCall:
    """What a child needs to make one artifact: only values that can be pickled.

    Resources and settings hold state of Dagster that cannot be pickled, so they are named by class and field values.
    """

    asset: tuple[str, str]
    artifacts: Mapping[str, Artifact]
    inputs: Sequence[str]
    clip: str
    resources: Mapping[str, tuple[type, dict[str, Any]]]
    config: tuple[type, dict[str, Any]] | None
    seconds: Mapping[str, float | None]

    @classmethod
    def of(
        cls,
        asset: ClipAsset,
        artifacts: Mapping[str, Artifact],
        inputs: Sequence[str],
        clip: str,
        resources: Mapping[str, Any],
        config: dg.Config | None,
        seconds: Mapping[str, float | None],
    ) -> "IsolatedCall":
        """Describe a call; `resources` include the store."""
        config_type = asset.parameters.config_type
        return cls(
            (asset.function.__module__, asset.function.__qualname__),
            {name: artifacts[name] for name in inputs},
            inputs,
            clip,
            {name: (type(value), _fields(value)) for name, value in resources.items()},
            (config_type, _fields(config)) if config_type and config else None,
            seconds,
        )

    def perform(self) -> AssetResult:
        """Make the artifact in this process. The value of one that is a file is left out."""
        module, name = self.asset
        asset: ClipAsset = getattr(import_module(module), name)
        resources = {name: kind(**fields) for name, (kind, fields) in self.resources.items()}
        store = resources["store"].open()
        config = self.config[0](**self.config[1]) if self.config else None
        shared = open_shared(asset.parameters, resources, config)
        values = load_inputs(asset, self.artifacts, self.inputs, store, self.clip)
        streams = {name: decode(values) for name, decode in decoders(asset.parameters, shared).items()}
        values = {**dict.fromkeys(asset.inputs), **values, **streams, **shared, **self.seconds, "clip": self.clip}
        result = call_and_store(asset, store, self.clip, values)
        return replace(result, value=None) if asset.artifact.is_file else result


def run_isolated(call: IsolatedCall, max_seconds: float = MAX_SECONDS) -> AssetResult:
    """Return what a call returned in a process of its own, with bounded memory and time.

    Raises:
        ProcessKilled: the process died, or ran out of time.
        Exception: whatever the asset's function raised.
    """
    with TemporaryDirectory(prefix="vidassets-") as folder:
        answer = Path(folder) / "answer"
        child = subprocess.Popen(
            [sys.executable, "-m", "vidassets.graph.isolation", answer],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        try:
            with suppress(BrokenPipeError):
                assert child.stdin is not None  # noqa: S101 - for pyright
                pickle.dump(sys.path, child.stdin)
                pickle.dump(call, child.stdin)
                child.stdin.flush()
            exit_code = child.wait(max_seconds)
        except subprocess.TimeoutExpired:
            raise ProcessKilled(
                f"It killed a process before, and alone in a process it was not done after {max_seconds / 3600:g} h."
            ) from None
        finally:
            child.kill()
            child.communicate()
        if not answer.exists():
            raise ProcessKilled(_cause_of_death(exit_code))
        is_result, value = pickle.loads(answer.read_bytes())  # noqa: S301 - written by the child, in a folder of this user
    if not is_result:
        raise value
    return value


def _cause_of_death(exit_code: int) -> str:
    how = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    why = " (probably for want of memory)" if exit_code == -signal.SIGKILL else ""
    return (
        f"It killed a process before, and now the one of its own: {how}{why}. The video may be damaged, or need more "
        "memory than there is. `vidassets remove` takes the clip out; until it succeeds, it is tried by itself."
    )


def _fields(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields}


def _limit_memory() -> None:
    """Let an allocation fail before the system runs out of memory; should it, let it choose this process."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError, ValueError):
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    limit = int(min(sizes) * MEMORY_SHARE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with_the_parent() -> None:
    """Exit when stdin ends: the parent closes it only when it dies or kills this process."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Perform the call on stdin and write its result, or its error, to the file that is named."""
    answer = Path(sys.argv[1])
    sys.path = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the parent
    call: IsolatedCall = pickle.load(sys.stdin.buffer)  # noqa: S301
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _limit_memory()
    try:
        content = pickle.dumps((True, call.perform()))
    except Exception as error:  # noqa: BLE001 - raised again by the parent
        content = _pickled(error)
    partial = answer.with_suffix(".partial")
    partial.write_bytes(content)
    partial.rename(answer)
    os._exit(0)  # do not wait for threads of libraries


def _pickled(error: Exception) -> bytes:
    try:
        pickle.loads(content := pickle.dumps((False, error)))  # noqa: S301 - just written
    except Exception:  # noqa: BLE001 - an error of any library, with any constructor
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return content


if __name__ == "__main__":
    main()
