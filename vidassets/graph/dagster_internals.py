"""Every name that vidassets takes from Dagster's private modules: the one place to check when Dagster is upgraded.

What each stands for:

- `CODE_VERSION_TAG`, `DATA_VERSION_TAG`, `DATA_VERSION_IS_USER_PROVIDED_TAG`, `DEFAULT_DATA_VERSION`,
  `NULL_EVENT_POINTER`, `compute_logical_data_version`, `get_input_data_version_tag`, `get_input_event_pointer_tag`:
  the provenance tags of a materialisation. A batch writes them clip by clip (decision 0002).
- `SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION`: an output with this metadata counts as produced, and Dagster records
  no event of its own for it. A batch step yields one after it has recorded each clip (decision 0002).
- `AssetCheckEvaluationTargetMaterializationData`: links the result of a check to the materialisation that it checked.
- `DagsterEventType`: the kind of an event, for queries of the event log.
- `InMemoryJob`, `execute_run`: run a job in this process (`vidassets run`).
- `ASSET_PARTITION_RANGE_START_TAG`, `ASSET_PARTITION_RANGE_END_TAG`, `PARTITION_NAME_TAG`: the partitions of a run.
- `BACKFILL_ID_TAG`: the backfill that a run is part of.
- `SerializableErrorInfo`: an error as the event log holds it, with its cause.
- `InstanceRef`: opens an instance from a folder, with overrides. `CheckError`: its file is no mapping.

dagster is bounded below 1.14; the tests in `vidassets_tests/graph` fail when one of these changes its meaning.
"""

from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    compute_logical_data_version,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.events import DagsterEventType
from dagster._core.execution.api import execute_run
from dagster._core.instance import InstanceRef
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    BACKFILL_ID_TAG,
    PARTITION_NAME_TAG,
)
from dagster_shared.check import CheckError
from dagster_shared.error import SerializableErrorInfo

__all__ = [
    "ASSET_PARTITION_RANGE_END_TAG",
    "ASSET_PARTITION_RANGE_START_TAG",
    "BACKFILL_ID_TAG",
    "CODE_VERSION_TAG",
    "DATA_VERSION_IS_USER_PROVIDED_TAG",
    "DATA_VERSION_TAG",
    "DEFAULT_DATA_VERSION",
    "NULL_EVENT_POINTER",
    "PARTITION_NAME_TAG",
    "SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION",
    "AssetCheckEvaluationTargetMaterializationData",
    "CheckError",
    "DagsterEventType",
    "InMemoryJob",
    "InstanceRef",
    "SerializableErrorInfo",
    "compute_logical_data_version",
    "execute_run",
    "get_input_data_version_tag",
    "get_input_event_pointer_tag",
]
