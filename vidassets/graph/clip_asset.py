"""`@clip_asset`: a function of one clip becomes a Dagster asset over one or many partitions.

Five promises: a model is loaded once per run; a finished clip is stored and recorded before the next one begins; a clip
that fails harms no other; a batch records what a run of one partition would record; the next clip's input is read while
this one is processed. `clip_step.py` keeps them; docs/decisions/0002-batches-of-clips.md says how and why.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from vidassets.graph.artifact import Artifact, Blob
from vidassets.graph.clip_check import ClipCheck
from vidassets.graph.declared_asset import DeclaredAsset, Figure, companions
from vidassets.graph.parameters import read_parameters
from vidassets.graph.partitions import clips
from vidassets.schemas.clips import dy


@dataclass(frozen=True, kw_only=True)
class ClipAsset(DeclaredAsset):
    """A declared asset of one clip.

    Attributes:
        checks: asked of every stored artifact.
    """

    checks: tuple[ClipCheck, ...]


def clip_asset(
    *,
    group: str,
    kinds: Iterable[str],
    version: str,
    schema: type[dy.Schema] | None = None,
    extension: str = "parquet",
    partitions: dg.DynamicPartitionsDefinition = clips,
    pool: str | None = None,
    checks: Iterable[ClipCheck] = (),
    preview: Callable[..., str | None] | None = None,
    references: Mapping[str, list[str]] | None = None,
    also: Mapping[str, type[dy.Schema] | Blob] | None = None,
    figures: Iterable[Figure] = (),
) -> Callable[[Callable[..., Any]], ClipAsset]:
    """Declare an asset by a function of one clip.

    The function's parameters say what it needs; see `vidassets.graph.parameters`. It returns the artifact, or an
    `AssetResult`. With a parameter `output` it writes the artifact to that path instead.

    Args:
        group: of the asset, in the graph.
        kinds: shown as badges in the graph.
        version: raised by hand when the function's result changes for the same inputs and settings.
        schema: the declared table that it returns; None for bytes or a file.
        extension: of the stored object.
        partitions: the partition set.
        pool: limits how many steps of one kind run at the same time.
        checks: asked of every stored artifact.
        preview: returns Markdown for the asset's page; its parameters are `artifact`, inputs, companions, `config`.
        references: input table → the columns that are a foreign key into it; checked before the artifact is stored.
        also: companion artifacts of the same call, each an asset that depends on this one: a table by its schema, or
            a `Blob`.
        figures: what the table of clips shows of it.
    Raises:
        DeclarationError: a parameter that cannot be provided.
    """

    def declare(function: Callable[..., Any]) -> ClipAsset:
        parameters = read_parameters(function, has_clip=True)
        return ClipAsset(
            artifact=Artifact(function.__name__, schema, extension, is_file=parameters.writes_file),
            function=function,
            parameters=parameters,
            partitions=partitions,
            version=version,
            group=group,
            kinds=frozenset(kinds),
            pool=pool,
            preview=preview,
            also=companions(also),
            references=references or {},
            figures=tuple(figures),
            checks=tuple(checks),
        )

    return declare
