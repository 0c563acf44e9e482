"""Export of a trained classifier to ONNX, with metadata and a check against torch.

The contract: input `crops`, float32 (N, 3, 32, 32) in [0, 1]; outputs `logit`, float32 (N,), of high gas flow, and
`embedding`, float32 (N, D), the penultimate layer. N is arbitrary.
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

# The oldest opset that torch's exporter writes without conversion: readers of ONNX since 2022 support it.
OPSET = 18
CLASSES = ("low", "high")
MAX_DIFFERENCE = 1e-4
# The exporter is given two crops; other batch sizes show that their number is arbitrary.
CHECKED_BATCHES = (1, 7)
INSTALL = "pip install 'vidassets[spatter]'"


def export_onnx(network: "nn.Module", notes: Mapping[str, Any], colour: Colour = "rgb") -> bytes:
    """Return the network as an ONNX file, after comparing its output with torch.

    Args:
        network: returns logit (N,) and embedding (N, D), see `architectures.build_network`. It is moved to the CPU.
        notes: JSON values stored in the file beside `classes` and `preprocessing`: architecture, seed, data hash ….
        colour: of the crops that it was trained on.
    Raises:
        ModelMissing: a package of the export is not installed.
        TrainingError: the exported network differs from the trained one.
    """
    model = _exported(network.cpu().eval())
    _delete_debug_info(model)
    for name, value in {"classes": CLASSES, "preprocessing": preprocessing(colour), **notes}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, json.dumps(value, sort_keys=True)
    exported = model.SerializeToString(deterministic=True)
    difference = max_difference(network, exported)
    if not difference < MAX_DIFFERENCE:
        raise TrainingError(
            f"The exported classifier differs from the trained one by {difference:.1e} in logit or embedding; "
            f"{MAX_DIFFERENCE:.0e} is allowed. Train with another learning_rate or architecture: a difference this "
            "large comes from weights that have grown too large."
        )
    return exported


def preprocessing(colour: Colour) -> dict[str, object]:
    """Return the preprocessing of a crop at inference, without the random augmentation of training.

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
    """Return the largest absolute difference between torch and ONNX Runtime on random crops.

    Logits and embeddings are compared. The result is NaN if either of them contains NaN.
    """
    import torch

    session, rng = _session(exported), np.random.default_rng(0)
    differences = []
    for n_crops in CHECKED_BATCHES:
        crops = rng.random((n_crops, 3, 32, 32), np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(crops))
        found = session.run(["logit", "embedding"], {"crops": crops})
        differences += [np.abs(ours - theirs.numpy()).max() for ours, theirs in zip(found, expected, strict=True)]
    return float(np.max(differences))


def _exported(network: "nn.Module") -> "onnx.ModelProto":
    import torch

    example = torch.zeros(2, 3, 32, 32)
    with _quiet_exporter():
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
            raise ModelMissing(
                f"Exporting to ONNX needs the package {error.name}. Install it with `{INSTALL}`."
            ) from error
    if program is None:
        raise TrainingError(
            "torch.onnx.export returned no program. Install a torch version that pyproject.toml allows."
        )
    return program.model_proto


def _delete_debug_info(model: "onnx.ModelProto") -> None:
    """Delete the stack traces that torch writes for each node.

    They contain paths of this machine. Without them, the same network gives the same bytes on every machine.
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
        raise ModelMissing(
            f"Running a classifier needs the package {error.name}. Install it with `{INSTALL}`."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise ArtifactDamaged(
            f"ONNX Runtime {onnxruntime.__version__} cannot read this classifier ({error}). Train it again: "
            "`vidassets run --select spatter_classifier --force`."
        ) from error


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Suppress the exporter's log lines about unused packages and its warnings about its own internals."""
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
