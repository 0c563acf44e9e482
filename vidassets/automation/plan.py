"""Which runs are needed now: the one plan that `vidassets run` and the automation sensor both carry out."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from vidassets.automation.status import Board, Cell, State
from vidassets.graph.clip_asset import ClipAsset
from vidassets.graph.dataset_asset import DatasetAsset
from vidassets.graph.declared_graph import CLIPS_PER_RUN
from vidassets.storage.store import UNPARTITIONED_KEY

CellKey = tuple[str, str]  # asset and clip; UNPARTITIONED_KEY for an asset over all clips
Wants = Callable[[CellKey, Cell, bool], bool]  # a cell, its state now, and whether the same run makes an input again


@dataclass(frozen=True)
class PlannedRun:
    """A run that is needed.

    Attributes:
        assets: to materialise.
        clips: in the order of registration, without a gap; none for an asset over all clips.
    """

    assets: tuple[str, ...]
    clips: tuple[str, ...] = ()

    @property
    def bounds(self) -> tuple[str, str] | None:
        """The first and the last clip; None for an asset over all clips."""
        return (self.clips[0], self.clips[-1]) if self.clips else None

    @property
    def cells(self) -> set[CellKey]:
        """What the run is to make."""
        return {(asset, clip) for asset in self.assets for clip in self.clips or (UNPARTITIONED_KEY,)}


def next_runs(board: Board, wants: Wants, in_flight: Collection[CellKey] = frozenset()) -> list[PlannedRun]:
    """Return the runs whose inputs are all there, or are made in the same run.

    What is below an asset that is about to be made may turn stale, so it waits until that is made. Assets over all
    clips that read nothing, such as a table of people's decisions, come first and alone: they take a second, and what
    reads them is then made in the same run as the rest of its clip.

    Args:
        board: the states now.
        wants: whether a cell should be made.
        in_flight: cells that other runs are about to make.
    """
    wanted = [asset for asset in board.selection.dataset_assets if _is_coming(board, asset, wants, in_flight)]
    if first := [asset for asset in wanted if not asset.inputs]:
        return [PlannedRun((asset.name,)) for asset in first if (asset.name, UNPARTITIONED_KEY) not in in_flight]
    changing = {artifact.name for asset in wanted for artifact in asset.artifacts}
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    unsettled = set[str]()  # assets that some clip waits for
    for clip in board.clips:
        now, later = _of_clip(board, clip, wants, in_flight, changing)
        unsettled |= {asset.name for asset in now} | later
        by_set: dict[str, list[ClipAsset]] = defaultdict(list)
        for asset in now:
            by_set[str(asset.partitions.name)].append(asset)
        for assets in by_set.values():
            groups[tuple(asset.name for asset in assets)].append(clip)
    by_name = {asset.name: asset for asset in board.selection.clip_assets}
    order = {clip: place for place, clip in enumerate(board.clips)}
    runs = [
        PlannedRun(names, clips)
        for names, keys in groups.items()
        for clips in contiguous(keys, board.registered(by_name[names[0]].partitions), CLIPS_PER_RUN)
    ]
    runs.sort(key=lambda run: order[run.clips[0]])
    return runs + [PlannedRun((name,)) for name in _over_all_clips(board, wanted, unsettled, in_flight)]


def _is_coming(board: Board, asset: DatasetAsset, wants: Wants, in_flight: Collection[CellKey]) -> bool:
    key = (asset.name, UNPARTITIONED_KEY)
    return key in in_flight or wants(key, board.dataset_cells[asset.name], False)


def _of_clip(
    board: Board, clip: str, wants: Wants, in_flight: Collection[CellKey], changing: set[str]
) -> tuple[list[ClipAsset], set[str]]:
    """Return the assets of a clip that can be made in the next runs, and the names of those that have to wait.

    An asset of another partition set than its input waits, because that is another run. So does what reads an asset
    over all clips that is about to be made.

    Args:
        board, wants, in_flight: as for `next_runs`.
        clip: its key.
        changing: artifacts over all clips that are about to be made.
    """
    coming, later = dict[str, ClipAsset](), set[str]()
    for asset in board.selection.clip_assets:
        cell = board.cells.get((asset.name, clip))
        if cell is None:
            continue
        inputs = {name for name in board.selection.above[asset.name] if (name, clip) in board.cells}
        is_changing = not changing.isdisjoint(board.selection.parents[asset.name])
        if (asset.name, clip) in in_flight or is_changing or inputs & later:
            later.add(asset.name)
        elif wants((asset.name, clip), cell, not coming.keys().isdisjoint(inputs)) and all(
            coming[name].partitions == asset.partitions if name in coming else _is_usable(board.cells[name, clip])
            for name in inputs
        ):
            coming[asset.name] = asset
        elif inputs & coming.keys():
            later.add(asset.name)
    return list(coming.values()), later


def _is_usable(cell: Cell) -> bool:
    return cell.state in (State.FRESH, State.INCOMPLETE)


def _over_all_clips(
    board: Board, wanted: Sequence[DatasetAsset], unsettled: Collection[str], in_flight: Collection[CellKey]
) -> Iterator[str]:
    """Yield the wanted assets over all clips of which no input is about to change."""
    changing = set(unsettled)
    for asset in board.selection.dataset_assets:
        if changing & board.selection.above[asset.name]:
            changing.add(asset.name)
        elif asset in wanted:
            changing.add(asset.name)
            if (asset.name, UNPARTITIONED_KEY) not in in_flight:
                yield asset.name


def contiguous(keys: Collection[str], registered: Sequence[str], at_most: int) -> Iterator[tuple[str, ...]]:
    """Yield runs of keys that stand side by side in the order of registration: Dagster runs partitions by range.

    >>> list(contiguous(["a", "b", "d"], ["a", "b", "c", "d"], at_most=25))
    [('a', 'b'), ('d',)]
    """
    wanted, current = set(keys), list[str]()
    for key in registered:
        if key in wanted:
            current.append(key)
        if current and (key not in wanted or len(current) == at_most):
            yield tuple(current)
            current = []
    if current:
        yield tuple(current)
