"""Sensors: one registers new and replaced videos, one reads changed tables, one runs what automation asks for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import dagster as dg

from vidassets.automation.registration import register
from vidassets.errors import ProfileError, VidassetsError
from vidassets.graph.dataset_asset import DatasetAsset
from vidassets.graph.dataset_step import WATCHED_TAG
from vidassets.graph.lineage import latest_whole
from vidassets.sources.source import KINDS, Kind

WATCH_EVERY_S = 60


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Runs every asset whose inputs are new; off until a person turns it on, for it may cost money."""
    return dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        description="Materialises what is missing or whose inputs changed. Turn it on to have new videos worked on.",
    )


def new_videos_sensor(watch: str | None) -> dg.SensorDefinition:
    """Registers the videos of watched places.

    It keeps no cursor: it compares what lies there with what is registered, so that no object is lost or registered
    twice, whatever their times, pages or numbers.

    Args:
        watch: `kind=place`, one or more, with `;` between them; None watches nothing.
    """

    @dg.sensor(
        name="new_videos",
        minimum_interval_seconds=WATCH_EVERY_S,
        required_resource_keys={"store"},
        description="Registers new and replaced videos of the places in VIDASSETS_WATCH (kind=folder or kind=s3://…).",
    )
    def new_videos(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        from vidassets.sources.find import find_videos

        store, lines = context.resources.store.open(), []
        for kind, place in watched(watch or ""):
            try:
                found = find_videos(place, kind)
                result = register(context.instance, store, found.sources)
            except VidassetsError as error:
                context.log.error(f"{place}: {error}")
                lines.append(f"{place}: {type(error).__name__}")
                continue
            for reason in (*(one.reason for one in found.refused), *result.refused.values()):
                context.log.warning(reason)
            lines.append(
                f"{place}: {len(result.added)} added, {len(result.replaced)} replaced, {len(result.moved)} moved"
            )
        return dg.SkipReason("; ".join(lines) or "VIDASSETS_WATCH names no place")

    return new_videos


def changed_files_sensor(
    assets: Sequence[DatasetAsset], settings: Mapping[str, Mapping[str, Any]]
) -> dg.SensorDefinition:
    """Makes anew what was made of files outside of the store, once they have changed.

    Args:
        assets: those that watch files.
        settings: of the profile, by asset.
    """
    configs = [(asset, asset.configured(settings.get(asset.name, {}))) for asset in assets]

    @dg.sensor(
        name="changed_files",
        asset_selection=[key for asset in assets for key in asset.keys],
        minimum_interval_seconds=WATCH_EVERY_S,
        description="Reads tables of labels and decisions, and folders of voices, again when people have changed them.",
    )
    def changed_files(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest]:
        for asset, config_type in configs:
            made = latest_whole(context.instance, dg.AssetKey(asset.name))
            now = asset.watched(config_type() if config_type else None)
            if made is not None and made.tags.get(WATCHED_TAG) != now:
                yield dg.RunRequest(run_key=f"{asset.name} {made.storage_id} {now}", asset_selection=asset.keys)

    return changed_files


def watched(text: str) -> Iterator[tuple[Kind, str]]:
    """Kinds and places of a `VIDASSETS_WATCH`.

    >>> list(watched("clip=s3://bucket/videos; episode=/data/shows"))
    [('clip', 's3://bucket/videos'), ('episode', '/data/shows')]

    Raises:
        ProfileError: an entry that is not `kind=place`.
    """
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        kind, _, place = entry.partition("=")
        if kind not in KINDS or not place:
            raise ProfileError(f"VIDASSETS_WATCH: {entry}: write kind=place, such as clip=s3://bucket/videos.")
        yield cast(Kind, kind), place
