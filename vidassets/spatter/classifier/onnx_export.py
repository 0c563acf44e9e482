"""A trained classifier as ONNX: what it is made of, and proof that it is the same.

The contract: input `crops`, float32 (N, 3, 32, 32) in [0, 1]; outputs `logit`, float32 (N,), of high gas flow, and
`embedding`, float32 (N, D), the penultimate layer. N is free.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from vidassets.errors import ArtifactDamaged, ModelMissing, TrainingError
from vidassets.spatter.dataset.transforms import MARGIN, TARGET_PX, Colour

if TYPE_CHECKING:
    import onnx
    from torch import nn

# The oldest that torch's exporter writes by itself: what reads ONNX of 2022 reads it.
OPSET = 18
CLASSES = ("low", "high")
MAX_DIFFERENCE = 1e-4
# The exporter is given two crops; one, and more than two, show that their number is free.
PROOF_BATCHES = (1, 7)
INSTALL = "pip install 'vidassets[spatter]'"


def export_onnx(network: "nn.Module", notes: Mapping[str, Any], colour: Colour = "rgb") -> bytes:
    """The network as one ONNX file, run and compared with torch before it is given out.

    Args:
        network: gives logit (N,) and embedding (N, D), see `architectures.network_of`; comes back on the CPU.
        notes: kept in the file beside `classes` and `preprocessing`: architecture, seed, hash of the data …; values
            that JSON has.
        colour: of the crops it has learned from.
    Raises:
        ModelMissing: a package of the export is not installed.
        TrainingError: what was exported differs from the network.
    """
    model = _exported(network.cpu().eval())
    _forget_this_machine(model)
    for name, value in {"classes": CLASSES, "preprocessing": preprocessing(colour), **notes}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, json.dumps(value, sort_keys=True)
    exported = model.SerializeToString(deterministic=True)
    difference = max_difference(network, exported)
    if not difference < MAX_DIFFERENCE:
        raise TrainingError(
            f"The exported classifier differs from the trained one by {difference:.1e} in logit or embedding; "
            f"{MAX_DIFFERENCE:.0e} is allowed. Train with another learning_rate or architecture: values this far "
            "apart come of weights that have grown too large."
        )
    return exported


def preprocessing(colour: Colour) -> dict[str, object]:
    """What is done to a crop before the classifier sees it, without what is drawn at random while it learns.

    >>> preprocessing("gray")["resize_px"], preprocessing("gray")["centre_crop_px"]
    (40, 32)
    """
    return {
        "colour": colour,
        "resize_px": round(MARGIN * TARGET_PX),
        "resize": "area",
        "centre_crop_px": TARGET_PX,
        "scale": "divided by 255",
    }


def max_difference(network: "nn.Module", exported: bytes) -> float:
    """Largest absolute difference between torch and ONNX Runtime, over logits and embeddings of noise; NaN where either
    gives one.
    """
    import torch

    session, rng = _session(exported), np.random.default_rng(0)
    differences = []
    for n_crops in PROOF_BATCHES:
        crops = rng.random((n_crops, 3, 32, 32), np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(crops))
        got = session.run(["logit", "embedding"], {"crops": crops})
        differences += [np.abs(g - e.numpy()).max() for g, e in zip(got, expected, strict=True)]
    return float(np.max(differences))


def notes_of(exported: bytes) -> dict[str, Any]:
    """What an exported classifier says of itself.

    Raises:
        ArtifactDamaged: it is no ONNX file, or its notes are not ours.
        ModelMissing: ONNX Runtime is not installed.
    """
    entries = _session(exported).get_modelmeta().custom_metadata_map
    try:
        return {name: json.loads(value) for name, value in entries.items()}
    except json.JSONDecodeError as error:
        raise ArtifactDamaged(
            f"The ONNX file's notes ({', '.join(entries)}) are not those of a spatter classifier. Make it again: "
            "`vidassets run --select spatter_classifier --force`."
        ) from error


def _exported(network: "nn.Module") -> "onnx.ModelProto":
    import torch

    example = torch.zeros(2, 3, 32, 32)
    with _exporter_held_back():
        try:
            program = torch.onnx.export(
                network,
                (example,),
                input_names=["crops"],
                output_names=["logit", "embedding"],
                dynamic_shapes=({0: torch.export.Dim("n_crops")},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except ModuleNotFoundError as error:
            raise ModelMissing(f"Exporting to ONNX needs the package {error.name}. `{INSTALL}`") from error
    if program is None:
        raise TrainingError("torch exported nothing. Install the torch that pyproject.toml allows.")
    return program.model_proto


def _forget_this_machine(model: "onnx.ModelProto") -> None:
    """Take out the stack traces, with paths of this machine, that torch writes beside each node: the same network gives
    the same bytes wherever it is exported.
    """
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]
        part.doc_string = ""
    for initializer in model.graph.initializer:
        del initializer.metadata_props[:]
    del model.metadata_props[:]


def _session(exported: bytes) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModelMissing(f"Running a classifier needs the package {error.name}. `{INSTALL}`") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own types share no base but this
        raise ArtifactDamaged(
            f"Not a classifier that ONNX Runtime {onnxruntime.__version__} reads ({error}). Make it again: "
            "`vidassets run --select spatter_classifier --force`."
        ) from error


@contextmanager
def _exporter_held_back() -> Iterator[None]:
    """Torch's exporter tells of packages that are not used here, and warns of its own insides."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        log.setLevel(level)
