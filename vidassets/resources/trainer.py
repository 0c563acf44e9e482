"""Where classifiers are trained: device and threads, which change how long it takes, and the folder it goes on from."""

import tempfile
from hashlib import sha256
from pathlib import Path

import dagster as dg
from pydantic import Field

from vidassets.resources.store import Store


class Trainer(dg.ConfigurableResource, extra="forbid"):
    """Trains on this machine."""

    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto: the first there is of cuda, mps, cpu.",
    )
    threads: int = Field(default=1, ge=1, description="Of torch on the CPU.")
    workers: int = Field(default=0, ge=0, description="Processes that read crops ahead; 0: the training's own.")
    folder: str | None = Field(
        default=None,
        description="Keeps what an interrupted training goes on from. None: beside a local store, or for a store in a "
        "bucket the system's folder for temporary files.",
    )

    def under_way(self, store: Store, name: str) -> Path:
        """The folder for the checkpoints of the trainings of an asset; made where it is not there."""
        if self.folder is not None:
            home = Path(self.folder)
        elif "://" in store.root:
            apart = sha256(store.root.encode()).hexdigest()[:8]  # one deployment forgets no other's
            home = Path(tempfile.gettempdir()) / "vidassets-trainings" / apart
        else:
            home = Path(store.root) / ".trainings"
        path = home / name
        path.mkdir(parents=True, exist_ok=True)
        return path
