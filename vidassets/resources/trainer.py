"""Where classifiers are trained: the device, the number of threads, and the folder for checkpoints."""

import tempfile
from hashlib import sha256
from pathlib import Path

import dagster as dg
from pydantic import Field

from vidassets.resources.store import Store
from vidassets.spatter.classifier.recipe import Execution


class Trainer(dg.ConfigurableResource, extra="forbid"):
    """Trains classifiers on this machine."""

    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto takes the first available of cuda, mps, cpu.",
    )
    threads: int = Field(default=1, ge=1, description="CPU threads of torch.")
    workers: int = Field(
        default=0, ge=0, description="Processes that read crops ahead; 0 reads them in the training process."
    )
    folder: str | None = Field(
        default=None,
        description="Folder for checkpoints, from which an interrupted training resumes. None: `.trainings` in a local "
        "store; for a store in a bucket, the system's folder for temporary files.",
    )

    def execution(self) -> Execution:
        """Return device, threads and workers in the form that the training takes."""
        return Execution(self.device, self.threads, self.workers)

    def checkpoint_folder(self, store: Store, name: str) -> Path:
        """Return the checkpoint folder of an asset's trainings. It is created if it does not exist."""
        if self.folder is not None:
            home = Path(self.folder)
        elif "://" in store.root:
            # Each store gets its own folder, so that no deployment deletes the checkpoints of another.
            digest = sha256(store.root.encode()).hexdigest()[:8]
            home = Path(tempfile.gettempdir()) / "vidassets-trainings" / digest
        else:
            home = Path(store.root) / ".trainings"
        path = home / name
        path.mkdir(parents=True, exist_ok=True)
        return path
