"""Sensors: one registers new and replaced videos, one requests the runs that are needed."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import dagster as dg

from vidassets.automation.event_log import EventLog, StillReading, StoredKeys
from vidassets.automation.registration import register
from vidassets.automation.requests import request_runs
from vidassets.automation.status import Selection
from vidassets.credentials import without_credentials
from vidassets.errors import ProfileError, VidassetsError
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.graph.partitions import clips
from vidassets.sources.source import KINDS, Kind

WATCH_EVERY_S = 60
AUTOMATE_EVERY_S = 30  # as Dagster's own automation
READ_AT_MOST_S = 30.0  # of a tick, which Dagster ends after 60 s
LIST_EVERY_S = 600.0  # a listing of a bucket costs a request for every 1,000 keys of every artifact


def automation_sensor(
    graph: DeclaredGraph, settings: Mapping[str, Mapping[str, Any]], every_s: int = AUTOMATE_EVERY_S
) -> dg.SensorDefinition:
    """Return the sensor that requests the runs that `vidassets run` would launch; off by default, as it may cost money.

    What failed or was cancelled, and what a budget left incomplete, is not requested again until its inputs, code or
    settings change: a person does that, by `vidassets run` or a backfill.

    Args:
        graph: the declared assets; those on demand are left out.
        settings: of the profile, by asset.
        every_s: seconds between ticks.
    """
    automated = [asset for asset in graph.dataset_assets if not asset.on_demand]
    kept: list[tuple[EventLog, StoredKeys]] = []  # by the process that evaluates the sensor, from tick to tick

    @dg.sensor(
        name="automation",
        asset_selection=[key for asset in (*graph.clip_assets, *automated) for key in asset.keys],
        minimum_interval_seconds=every_s,
        required_resource_keys={"store"},
        description="Materialises what `vidassets run` would: what is missing or stale. Turn it on to automate.",
    )
    def automation(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        if context.repository_def is None:
            raise dg.DagsterInvariantViolationError("The sensor needs the definitions that it belongs to.")
        if not kept:
            store = context.resources.store.open()
            kept.append((EventLog(context.instance, with_metadata=False), StoredKeys(store, LIST_EVERY_S)))
        [(events, stored)] = kept
        events.look_again(context.instance, READ_AT_MOST_S)
        defined = context.repository_def.asset_graph
        selection = Selection.of(defined, graph.clip_assets, automated, graph.artifacts, settings)
        clips_now = list(context.instance.get_dynamic_partitions(str(clips.name)))
        try:
            yield from request_runs(selection, clips_now, events, stored)
        except StillReading as reason:
            yield dg.SkipReason(f"{reason}; the next tick goes on.")

    return automation


def new_videos_sensor(watch: str | None) -> dg.SensorDefinition:
    """Return the sensor that registers the videos in watched locations.

    It keeps no cursor. It compares what a location holds with what is registered, so no object is lost or registered
    twice, whatever their modification times and however many there are.

    Args:
        watch: one or more `kind=location`, separated by `;`; None watches nothing.
    """

    @dg.sensor(
        name="new_videos",
        minimum_interval_seconds=WATCH_EVERY_S,
        required_resource_keys={"store"},
        description="Registers new and replaced videos in the locations of VIDASSETS_WATCH (kind=folder or kind=s3://…).",
    )
    def new_videos(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        from vidassets.sources.find import find_videos
        from vidassets.sources.settled import without_unsettled

        store, lines = context.resources.store.open(), []
        for kind, location in watched(watch or ""):
            shown = without_credentials(location)
            try:
                found = without_unsettled(find_videos(location, kind))
                result = register(context.instance, store, found.sources)
            except VidassetsError as error:
                context.log.error(f"{shown}: {error}")
                lines.append(f"{shown}: {type(error).__name__}")
                continue
            for reason in (*(refused.reason for refused in found.refused), *result.refused.values()):
                context.log.warning(reason)
            lines.append(
                f"{shown}: {len(result.added)} added, {len(result.replaced)} replaced, {len(result.moved)} moved"
            )
        return dg.SkipReason("; ".join(lines) or "VIDASSETS_WATCH names no location")

    return new_videos


def watched(text: str) -> Iterator[tuple[Kind, str]]:
    """Yield the kinds and locations in the value of `VIDASSETS_WATCH`.

    >>> list(watched("clip=s3://bucket/videos; episode=/data/shows"))
    [('clip', 's3://bucket/videos'), ('episode', '/data/shows')]

    Raises:
        ProfileError: an entry is not `kind=location`.
    """
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        kind, _, location = entry.partition("=")
        if kind not in KINDS or not location:
            shown = without_credentials(entry)
            raise ProfileError(f"VIDASSETS_WATCH: {shown}: write kind=location, such as clip=s3://bucket/videos.")
        yield cast(Kind, kind), location
