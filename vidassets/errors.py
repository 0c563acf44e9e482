"""The errors of this project, in one tree. Each message says what failed, where, and how to fix it."""


class VidassetsError(Exception):
    """The root of the tree: catch it to catch every error of vidassets."""


class SourceError(VidassetsError):
    """A problem with a video or its sidecar, as found below a path or URL."""


class SourceMissing(SourceError):
    """The file does not exist: a wrong path, a broken link, an empty prefix."""


class SourceUnreadable(SourceError):
    """The file exists and cannot be read: no permission, a directory, a device."""


class SourceChanged(SourceError):
    """The file was replaced or written to while it was read, or since its facts were measured."""


class KeyCollision(SourceError):
    """Two videos would have the same partition key."""


class InvalidKey(SourceError):
    """A key with characters outside ``[a-z0-9._-]``, or one that leads out of its folder."""


class SidecarError(SourceError):
    """A sidecar file is too large, too deep, or not a JSON object."""


class UnreadableVideo(VidassetsError):
    """A file that no demuxer can open, or whose pictures do not decode."""


class EmptyVideo(UnreadableVideo):
    """A file of zero bytes, or one whose streams contain no packet."""


class TruncatedVideo(UnreadableVideo):
    """A file that is cut off: its index or its last packets are missing."""


class NoVideoStream(UnreadableVideo):
    """A readable container without a video stream."""


class ProcessKilled(VidassetsError):
    """The process that made an artifact died: a decoder crashed, or memory ran out."""


class StoreError(VidassetsError):
    """A problem with the artifact store."""


class StoreUnreachable(StoreError):
    """The store's folder or bucket cannot be reached, read or written."""


class ArtifactMissing(StoreError):
    """An artifact does not exist."""


class ArtifactDamaged(StoreError):
    """An artifact exists and cannot be read."""


class SchemaViolation(StoreError):
    """A table that does not satisfy its schema."""


class InstanceUnusable(VidassetsError):
    """The database of the Dagster instance cannot be written or read."""


class ProfileError(VidassetsError):
    """A problem with a profile (resources/*.yaml), one of its settings, or its environment."""


class UiError(VidassetsError):
    """The Dagster UI cannot be started, or ended by itself."""


class InvalidSetting(VidassetsError):
    """A setting of an asset that is out of bounds or makes no sense."""


class DeclarationError(VidassetsError):
    """A declared asset whose parameters cannot be provided: a mistake in the code, found when it loads."""


class ModelMissing(VidassetsError):
    """A package or weights file that a profile names is not installed."""


class DeviceUnavailable(VidassetsError):
    """A profile requests a device that this machine does not have."""


class DescriberError(VidassetsError):
    """A problem with an endpoint that describes frames: its address, key or answers."""


class BudgetError(DescriberError):
    """A budget that cannot be enforced, such as one for a model without a price."""


class SpatterError(VidassetsError):
    """A problem with spatter crops, their labels or their classifier."""


class NotACropsFile(SpatterError):
    """A readable HDF5 file that contains no spatter crops."""


class LabelError(SpatterError):
    """Labels that are not allowed, contradict each other, or name unknown builds."""


class OneClassOnly(LabelError):
    """Training needs crops of low and of high flow, and one of the two classes is missing."""


class TrainingError(SpatterError):
    """A classifier cannot be trained on the given crops, or its export differs from the trained model."""


class TrackerUnreachable(VidassetsError):
    """The experiment tracker of a profile does not answer, or rejects a request."""


class InputsAwaited(VidassetsError):
    """The inputs of an asset do not exist yet. This is no failure: the asset is computed once they do."""


# Speech


class SpeechError(VidassetsError):
    """A problem with the processing of speech: a model or a recording that cannot be used."""


class LanguageUnsupported(SpeechError):
    """A speech model does not support the requested language or task."""


class EmbeddingMismatch(SpeechError):
    """Voice embeddings of different models, which cannot be compared."""
