"""Every error this project raises on purpose, in one tree; each message says what, where, and the mend."""


class VidassetsError(Exception):
    """The root of the tree: catch it to catch all that vidassets raises on purpose."""


class SourceError(VidassetsError):
    """A video, or what lies beside it, as found by a person's path or prefix."""


class SourceMissing(SourceError):
    """Nothing is there: a path that is gone, a broken link, an empty prefix."""


class SourceUnreadable(SourceError):
    """Something is there and may not be read: permission, a directory, a device."""


class KeyCollision(SourceError):
    """Two videos would share one partition key."""


class InvalidKey(SourceError):
    """A key outside ``[a-z0-9._-]``, or one that would leave its folder."""


class SidecarError(SourceError):
    """A sidecar file is too large, too deep, or not a JSON object."""


class UnreadableVideo(VidassetsError):
    """A file that no demuxer opens, or whose pictures do not decode."""


class EmptyVideo(UnreadableVideo):
    """A file of zero bytes, or one whose streams hold no packet."""


class TruncatedVideo(UnreadableVideo):
    """A file that has lost its tail: its index or its last packets."""


class NoVideoStream(UnreadableVideo):
    """A readable container without pictures."""


class StoreError(VidassetsError):
    """The artifact store."""


class StoreUnreachable(StoreError):
    """The store's folder or bucket cannot be reached, read or written."""


class ArtifactMissing(StoreError):
    """An artifact that was asked for has not been made."""


class ArtifactDamaged(StoreError):
    """An artifact is there and cannot be read."""


class SchemaViolation(StoreError):
    """A table that does not keep what `schemas.py` declares for it."""


class ProfileError(VidassetsError):
    """A profile (resources/*.yaml), a setting of it, or its environment."""


class InvalidSetting(VidassetsError):
    """A setting of an asset outside of what it can mean."""


class DeclarationError(VidassetsError):
    """A declared asset whose parameters cannot be provided: a mistake in the code, found when it loads."""


class ModelMissing(VidassetsError):
    """A package or weights file that a profile names is not installed."""


class DeviceUnavailable(VidassetsError):
    """A profile asks for a device that this machine does not have."""


class DescriberError(VidassetsError):
    """An endpoint that describes frames: its address, key, answers."""


class BudgetError(DescriberError):
    """A budget that cannot be held, such as one for a model without a price."""


class SpatterError(VidassetsError):
    """Spatter crops, their labels, and what is learnt of them."""


class NotACropsFile(SpatterError):
    """An HDF5 file that is readable and holds no spatter crops."""


class LabelError(SpatterError):
    """Labels that are none of the words allowed, contradict each other, or name builds that are not known."""


class OneClassOnly(LabelError):
    """Crops of low flow only, of high flow only, or of neither, where both are needed."""


class TrainingError(SpatterError):
    """A classifier that cannot be learned from what is given, or an exported one that differs from what was learned."""


class TrackerUnreachable(VidassetsError):
    """A tracker of experiments that a profile names does not answer, or refuses what it is told."""


class InputsAwaited(VidassetsError):
    """What an asset needs is not there yet, and no mistake: it is made once it is."""


# Speech


class SpeechError(VidassetsError):
    """What is said, by whom, and how it sounds: a model or a sound that cannot be worked with."""


class LanguageUnsupported(SpeechError):
    """A speech model does not know the language that it is asked for, or cannot do the task."""


class EmbeddingMismatch(SpeechError):
    """Voices that different models described, and which therefore cannot be compared."""
