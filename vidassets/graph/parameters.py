"""How the parameters of an asset's function are provided: by their name, or by a marker in their annotation.

    def shots(clip: str, shot_scores: pl.DataFrame, raw_clip: ClipFile, config: Cutting) -> pl.DataFrame: ...

A parameter named like a resource receives that resource. `config` receives the asset's settings, `clip` the clip's key,
and `output` the path that a file artifact is written to. `Annotated[type, marker]` provides one in another way; the
markers are below. Any other parameter is the asset of that name: a dependency, loaded from the store.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import dagster as dg

from vidassets.errors import DeclarationError
from vidassets.resources.keys import RESOURCE_KEYS


@dataclass(frozen=True)
class DecodedAhead:
    """Marks a stream of decoded pieces, produced in a thread while the previous clip is processed.

    Attributes:
        decode: yields the pieces; its own parameters are inputs, resources and `config`, by name.
    """

    decode: Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class OncePerRun:
    """Marks an object that all clips of a run share.

    Attributes:
        open: returns the object; its own parameters are resources, by name.
    """

    open: Callable[..., Any]


@dataclass(frozen=True)
class OnlyIf:
    """Marks an input that the asset depends on only if a boolean setting is true; otherwise it is None."""

    setting: str


@dataclass(frozen=True)
class SecondsOf:
    """Marks a number: the seconds that these assets took for the same clip, added up. Adds no dependency."""

    assets: tuple[str, ...]


@dataclass(frozen=True)
class IdentityOnly:
    """Marks a resource that the function only asks for its identity.

    The device of such a resource is not recorded, because some resources load their model to report it.
    """


@dataclass(frozen=True)
class Parameters:
    """The parameters of an asset's function, by how they are provided.

    Attributes:
        inputs: assets that the function depends on, and the class that each is loaded as.
        conditional: inputs that depend on a boolean setting, and that setting.
        resources: keys of the resources that it needs.
        identity_only: those of them whose execution is not recorded.
        config_type: the class of its settings.
        streams: parameters decoded ahead, and the functions that decode them.
        shared: parameters opened once per run, and the functions that open them.
        seconds_of: parameters that hold processing times, and the assets that these are of.
        writes_file: whether the function writes its artifact to the path `output`.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    conditional: Mapping[str, str] = field(default_factory=dict)
    resources: tuple[str, ...] = ()
    identity_only: frozenset[str] = frozenset()
    config_type: type[dg.Config] | None = None
    streams: Mapping[str, Callable[..., Iterable[Any]]] = field(default_factory=dict)
    shared: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    seconds_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    writes_file: bool = False


def read_parameters(function: Callable[..., Any], has_clip: bool) -> Parameters:
    """Return how the parameters of an asset's function are provided.

    Args:
        function: the function that computes the asset.
        has_clip: whether it computes the artifact of one clip, so that it may have a parameter `clip`.
    Raises:
        DeclarationError: a parameter that cannot be provided: its kind or its annotation is wrong.
    """
    asset = getattr(function, "__name__", repr(function))
    declared = {parameter.name: parameter for parameter in _parameters(asset, function)}
    markers = {name: _marker(parameter) for name, parameter in declared.items()}
    streams = {name: marker.decode for name, marker in markers.items() if isinstance(marker, DecodedAhead)}
    shared = {name: marker.open for name, marker in markers.items() if isinstance(marker, OncePerRun)}
    seconds_of = {name: marker.assets for name, marker in markers.items() if isinstance(marker, SecondsOf)}
    conditional = {name: marker.setting for name, marker in markers.items() if isinstance(marker, OnlyIf)}
    identity_only = frozenset(name for name, marker in markers.items() if isinstance(marker, IdentityOnly))
    by_name = {name: declared[name] for name in declared if name not in {*streams, *shared, *seconds_of}}
    # What decodes a stream or opens a shared object needs inputs and resources of its own.
    for needed in (*streams.values(), *shared.values()):
        for parameter in _parameters(asset, needed):
            by_name.setdefault(parameter.name, parameter)
    config_type = _config_type(asset, by_name.pop("config", None))
    writes_file = by_name.pop("output", None) is not None
    if by_name.pop("clip", None) is not None and not has_clip:
        raise DeclarationError(f"{asset}: parameter clip: an asset over all clips has no clip. Remove the parameter.")
    if wrong := sorted(identity_only - RESOURCE_KEYS):
        raise DeclarationError(f"{asset}: parameter {wrong[0]}: IdentityOnly is for resources, and this is none.")
    if wrong := sorted(set(conditional.values()) - set(config_type.model_fields if config_type else ())):
        raise DeclarationError(f"{asset}: OnlyIf({wrong[0]!r}): the asset has no such setting. Add it to its config.")
    return Parameters(
        inputs={
            name: _input_class(asset, parameter, function)
            for name, parameter in by_name.items()
            if name not in RESOURCE_KEYS
        },
        conditional=conditional,
        resources=tuple(sorted(set(by_name) & RESOURCE_KEYS)),
        identity_only=identity_only,
        config_type=config_type,
        streams=streams,
        shared=shared,
        seconds_of=seconds_of,
        writes_file=writes_file,
    )


def check_names(asset: str, function: Callable[..., Any], known: Iterable[str]) -> None:
    """Check that a function beside an asset, such as its preview, asks only for what it can be given.

    Raises:
        DeclarationError: naming the parameter, and what there is.
    """
    known = set(known)
    for parameter in inspect.signature(function).parameters:
        if parameter not in known:
            raise DeclarationError(
                f"{asset}: {getattr(function, '__name__', function)}: parameter {parameter}: not available here. "
                f"Available: {', '.join(sorted(known))}."
            )


def arguments(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a function, chosen from `values` by the names of its parameters."""
    return {name: values[name] for name in inspect.signature(function).parameters}


def _parameters(asset: str, function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise DeclarationError(
                f"{asset}: parameter {parameter}: parameters are provided by name. Write each of them out."
            )
        yield parameter


def _marker(parameter: inspect.Parameter) -> Any:
    markers = (DecodedAhead, OncePerRun, OnlyIf, SecondsOf, IdentityOnly)
    metadata = getattr(parameter.annotation, "__metadata__", ())
    return next((item for item in metadata if isinstance(item, markers)), None)


def _config_type(asset: str, parameter: inspect.Parameter | None) -> type[dg.Config] | None:
    if parameter is None:
        return None
    if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, dg.Config):
        return parameter.annotation
    raise DeclarationError(
        f"{asset}: parameter config: expected a dagster Config class as its annotation, got {parameter.annotation!r}."
    )


def _input_class(asset: str, parameter: inspect.Parameter, function: Callable[..., Any]) -> Any:
    """Return the class that an input is loaded as: its annotation, without markers and without None."""
    annotation, where = parameter.annotation, f"{asset}: parameter {parameter.name}"
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, getattr(function, "__globals__", {}))  # noqa: S307 - source code of the project
        except NameError as error:
            raise DeclarationError(
                f"{where}: its annotation {annotation!r} cannot be resolved ({error}). The class decides how the "
                "artifact is loaded: import it at the top of the module, not under TYPE_CHECKING."
            ) from error
    if get_origin(annotation) in (Union, UnionType):
        classes = [member for member in get_args(annotation) if member is not NoneType]
        annotation = classes[0] if len(classes) == 1 else annotation
    if annotation is inspect.Parameter.empty:
        raise DeclarationError(f"{where}: has no annotation. Say what it is loaded as, such as pl.DataFrame.")
    if isinstance(annotation, type) and issubclass(annotation, dg.Config):
        raise DeclarationError(f"{where}: settings are passed as `config`. Rename the parameter to config.")
    if not isinstance(annotation, type):
        raise DeclarationError(f"{where}: expected one class as its annotation, got {annotation!r}.")
    return annotation
