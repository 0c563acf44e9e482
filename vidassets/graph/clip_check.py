"""A check of one clip's artifact, evaluated the moment it is stored, and recorded for its partition."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg


@dataclass(frozen=True)
class Verdict:
    """What a check found: passed or not, in a sentence, with figures."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClipCheck:
    """A named question to one artifact.

    Attributes:
        name: of the check, in the UI.
        question: what it asks, in a sentence.
        answer: looks at the artifact as it was returned.
        severity: ERROR for what makes an artifact useless, WARN for what a person should know.
        covers_failure: whether it fails if the artifact cannot be made; a check that does not is then not applicable.
    """

    name: str
    question: str
    answer: Callable[[Any], Verdict]
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    covers_failure: bool = False

    def result(self, asset: dg.AssetKey, value: Any) -> dg.AssetCheckResult:
        """Return the verdict on one artifact, as Dagster's own result."""
        return self._result(asset, self.answer(value))

    def result_of_failure(self, asset: dg.AssetKey, cause: str) -> dg.AssetCheckResult:
        """Return the verdict where the artifact could not be made. Without one, Dagster shows the check as failed."""
        not_applicable = Verdict(True, f"not applicable: {asset.to_user_string()} could not be made")
        return self._result(asset, Verdict(False, cause) if self.covers_failure else not_applicable)

    def _result(self, asset: dg.AssetKey, verdict: Verdict) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            asset_key=asset,
            check_name=self.name,
            passed=verdict.passed,
            description=verdict.description,
            severity=self.severity,
            metadata=verdict.metadata,
        )
