"""The Dagster definitions of a deployment: assets over the resources of a profile.

The one place that reads the environment: `VIDASSETS_PROFILE` (a name in resources/, or a path; default cpu),
`VIDASSETS_HOME` (the folder that relative store roots start from; default: the project folder, or `~/vidassets` if the
package is installed from a wheel), `VIDASSETS__KEY__FIELD` (overrides the profile).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from vidassets.assets.descriptions import description_costs, description_document, frame_descriptions
from vidassets.assets.frames import frames
from vidassets.assets.shots import shot_scores, shots
from vidassets.assets.sources.raw_clip import raw_clip
from vidassets.assets.sources.source_video import SOURCE_VIDEO, source_video
from vidassets.assets.spatter.classifier import spatter_classifier
from vidassets.assets.spatter.consistency import spatter_consistency
from vidassets.assets.spatter.crops import spatter_crops
from vidassets.assets.spatter.index import spatter_index
from vidassets.assets.spatter.labels import spatter_build_labels, spatter_label_decisions
from vidassets.assets.spatter.predictions import spatter_drift, spatter_predictions, spatter_verdict, spatter_verdicts
from vidassets.assets.spatter.search import spatter_search
from vidassets.assets.spatter.types import spatter_types
from vidassets.assets.speech.acoustics import acoustic_frames, word_acoustics
from vidassets.assets.speech.sound import audio, speech_activity, speech_scores
from vidassets.assets.speech.speakers import speaker_decisions, speaker_names, speaker_turns, voice_bank, voices
from vidassets.assets.speech.subtitles import speech_document, subtitles
from vidassets.assets.speech.transcript import recognized_segments, transcript
from vidassets.automation.cleanup import daily_cleanup
from vidassets.automation.executor import isolating_executor
from vidassets.automation.profiles import Profile, load_profile
from vidassets.automation.sensors import automation_sensor, new_videos_sensor
from vidassets.graph.declared_graph import DeclaredGraph
from vidassets.shipped import DEFAULT_HOME, PROFILES

# The order in which the table of clips shows figures; the order in which assets are made is computed.
GRAPH = DeclaredGraph(
    [SOURCE_VIDEO],
    [
        raw_clip,
        frames,
        shot_scores,
        shots,
        frame_descriptions,
        description_document,
        description_costs,
        audio,
        speech_scores,
        speech_activity,
        recognized_segments,
        transcript,
        voices,
        speaker_turns,
        voice_bank,
        speaker_decisions,
        speaker_names,
        acoustic_frames,
        word_acoustics,
        subtitles,
        speech_document,
        spatter_crops,
        spatter_build_labels,
        spatter_label_decisions,
        spatter_index,
        spatter_classifier,
        spatter_predictions,
        spatter_verdict,
        spatter_drift,
        spatter_verdicts,
        spatter_types,
        spatter_search,
        spatter_consistency,
    ],
)


@dataclass(frozen=True)
class Settings:
    """What the environment says: where things lie, and which profile is in force."""

    home: Path
    profile_path: Path
    environment: Mapping[str, str]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; the defaults are the folder `shipped.DEFAULT_HOME` and the profile cpu."""
        home = Path(environment.get("VIDASSETS_HOME") or DEFAULT_HOME).expanduser().resolve()
        name = environment.get("VIDASSETS_PROFILE") or "cpu"
        is_path = "/" in name or name.endswith((".yaml", ".yml"))
        path = Path(name).expanduser().resolve() if is_path else PROFILES / f"{name}.yaml"
        return cls(home, path, environment)

    @property
    def dagster_home(self) -> Path:
        """The folder of the Dagster instance."""
        return Path(self.environment.get("DAGSTER_HOME") or self.home / ".dagster_home").expanduser()

    def profile(self) -> Profile:
        """The profile, loaded."""
        return load_profile(self.profile_path, self.home, self.environment)


def build_definitions(profile: Profile, environment: Mapping[str, str] | None = None) -> dg.Definitions:
    """All assets, resources, jobs and sensors under a profile.

    Raises:
        ProfileError: the profile has settings for an asset that there is not, or that the asset does not take.
    """
    profile.check_assets(GRAPH.assets)
    assets = GRAPH.definitions(profile.identities(), profile.assets, profile.origins)
    return dg.Definitions(
        assets=[source_video(), *assets],
        resources=dict(profile.resources),
        executor=isolating_executor,
        schedules=[daily_cleanup()],
        sensors=[
            automation_sensor(GRAPH, profile.assets),
            new_videos_sensor((environment or {}).get("VIDASSETS_WATCH")),
        ],
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: the deployment that the environment names."""
    settings = Settings.from_environment(os.environ)
    return build_definitions(settings.profile(), settings.environment)
