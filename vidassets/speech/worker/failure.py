"""What a worker answers where it cannot do what is asked; the other side makes an error of the project of it."""

from typing import Literal

Kind = Literal["language_unsupported", "model_missing", "device_unavailable", "invalid_setting", "failed"]


class WorkerFailure(Exception):
    """A failure with its mend.

    Args:
        kind: which error the other side is to raise.
        message: what, where, and the mend.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
