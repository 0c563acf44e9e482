"""A worker's refusal of a request, which the process that asked turns into an error of the project."""

from typing import Literal

FailureKind = Literal["language_unsupported", "model_missing", "invalid_setting", "failed"]


class WorkerFailure(Exception):
    """A failure with a message that says how to fix it.

    Args:
        kind: selects the error that the process that asked raises.
        message: what failed, where, and how to fix it.
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
