"""`vidassets show`: one clip with its source, and every artifact of it with its state and path."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from vidassets.automation.event_log import EventLog
from vidassets.automation.registration import read_source
from vidassets.cli.console import out, print_lines, printable, terminal_width
from vidassets.cli.reports import clip_rows
from vidassets.cli.tables import ArtifactState, artifact_states, artifacts_table
from vidassets.keys import is_key

if TYPE_CHECKING:
    from vidassets.automation.work import Workload
    from vidassets.deployment import Deployment


def print_page(deployment: "Deployment", key: str, as_json: bool) -> None:
    """Print all that is known of a clip."""
    work, source = deployment.workload([key]), read_source(deployment.store, key)
    [row] = clip_rows(deployment, work)
    artifacts = list(_artifacts(deployment, work, key))
    if as_json:
        cells = {
            artifact.name: {"state": str(artifact.state), "reason": artifact.reason, "path": artifact.path}
            for artifact in artifacts
        }
        print(json.dumps(row | {"source": json.loads(source.to_json()) if source else None, "assets": cells}))
        return
    if source:
        size = f"{source.size_bytes / 1e6:.2f} MB"
        out.print(Text.assemble((key, "bold"), f" ({source.kind}): {source.uri}, {size}"))
    else:
        out.print(Text.assemble((printable(key), "bold"), f": {row['reason']}"))
    print_lines(artifacts_table(artifacts, terminal_width()) if artifacts else ())
    facts = work.board().cells.get(("raw_clip", key))
    if facts and facts.made and "preview" in facts.made.metadata:
        out.print(Text(_plain(str(facts.made.metadata["preview"].value))))


def _artifacts(deployment: "Deployment", work: "Workload", key: str) -> Iterator[ArtifactState]:
    """Yield the state of every artifact of a clip, in the order of the graph."""
    store, events, cells = deployment.store, EventLog(deployment.instance), work.board().cells
    if not is_key(key):  # a partition that was added by hand: the store holds nothing under such a name
        return
    for asset in work.clip_assets:
        if (asset.name, key) in cells:
            yield from artifact_states(
                asset,
                cells[asset.name, key],
                {artifact.name: store.uri(artifact.name, key, artifact.extension) for artifact in asset.artifacts},
                {artifact.name: store.exists(artifact.name, key, artifact.extension) for artifact in asset.artifacts},
                {artifact.name: events.made(artifact.name, [key]).get(key) for artifact in asset.artifacts},
            )


def _plain(markdown: str) -> str:
    """Return a two-column Markdown table as lines of text."""
    rows = [line.strip("| ").split(" | ", 1) for line in markdown.splitlines()[2:]]
    return "\n".join(f"  {row[0]:<12} {row[1]}" for row in rows if len(row) == 2)
