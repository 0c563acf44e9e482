"""The search for a better recipe: accuracy against cost. Needs torch and optuna: import it inside functions only."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import nn

from vidassets.errors import InvalidSetting, ModelMissing, TrainingError
from vidassets.schemas.spatter import SpatterSearch
from vidassets.spatter.classifier.architectures import network_of, parameters_of
from vidassets.spatter.classifier.lenet import CROP_SIZE_PX
from vidassets.spatter.classifier.recipe import Execution, Recipe, fingerprint
from vidassets.spatter.classifier.training import CropSet, torch_held_to, train

if TYPE_CHECKING:
    import optuna

INSTALL = "pip install 'vidassets[search]'"
LATENCY_BATCH, LATENCY_REPEATS = 64, 9


@dataclass(frozen=True)
class SearchSpace:
    """Where to look. A rate is drawn evenly over its logarithm; networks that are not LeNet have width 1.

    Args:
        architectures: see `architectures.network_of`.
        widths: of LeNet's layers.
        batch_sizes: crops a step.
        learning_rate: lowest and highest.
    """

    architectures: tuple[str, ...] = ("lenet5", "lenet5-classical")
    widths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    batch_sizes: tuple[int, ...] = (256, 512, 1024)
    learning_rate: tuple[float, float] = (1e-4, 1e-2)


def search_recipes(
    crops: CropSet,
    validation: CropSet,
    recipe: Recipe,
    space: SearchSpace,
    execution: Execution,
    *,
    n_trials: int,
    data_hash: str,
    folder: Path,
    on_trial: Callable[[dict[str, Any]], None] = lambda row: None,
) -> pl.DataFrame:
    """Every trial, with what it cost: rows of `spatter_schemas.SpatterSearch`, in the order they were made.

    A search that was killed goes on with the trial it was at, from that trial's last epoch, and makes the same ones;
    one that is done makes as many more as `n_trials` has grown. Optuna (Akiba et al., "Optuna: a next-generation
    hyperparameter optimization framework", KDD 2019) chooses, by its multi-objective tree-structured Parzen estimator:
    accuracy of the best epoch, and the number of parameters, which unlike latency is the same on each run. One process
    at a time.

    Args:
        crops, validation, data_hash: see `training.train`. Nothing is measured on test crops here.
        recipe: what the space does not vary: epochs, patience, seed. Batches are as large as the space says.
        space: see there.
        execution: see `training.train`.
        n_trials: in all, failed ones too.
        folder: holds the study (SQLite) and the checkpoints.
        on_trial: called with each row that is made by this process.
    Raises:
        ModelMissing: Optuna is not installed.
        InvalidSetting: an empty space, or no trial.
        OneClassOnly, DeviceUnavailable: see `training.train`.
    """
    _check(space, n_trials)
    named = fingerprint(recipe, space=repr(space), data=data_hash, torch=torch.__version__)
    study = _study(folder, named)
    _close_interrupted(study)
    while (n_made := len(_made(study))) < n_trials:
        # Sampled by its number alone: after an interrupt, and in a longer search, trials are the same.
        study.sampler = _sampler(recipe.seed, n_made)
        trial = study.ask()
        tried = _recipe_of(trial, recipe, space)
        try:
            row = _trial(tried, crops, validation, execution, data_hash, folder / "checkpoints")
        except TrainingError as error:
            row = {"state": "failed", "error": str(error)}
        row = _told(tried) | row
        trial.set_user_attr("row", row)
        _tell(study, trial, row)
        on_trial({"trial": n_made, **row})
    return _table([trial.user_attrs["row"] for trial in _made(study)][:n_trials])


def pareto_front(accuracy: np.ndarray, n_parameters: np.ndarray) -> np.ndarray:
    """Which trials no other beats: bool (N,). A trial beats another if it is as good in both, and better in one.

    >>> pareto_front(np.array([0.9, 0.95, 0.9]), np.array([100, 200, 150])).tolist()
    [True, True, False]
    """
    as_good = (accuracy[:, None] >= accuracy) & (n_parameters[:, None] <= n_parameters)
    better = (accuracy[:, None] > accuracy) | (n_parameters[:, None] < n_parameters)
    return ~np.any(as_good & better, axis=0, keepdims=True)[0]


def latency_ms(network: nn.Module) -> float:
    """Milliseconds a crop, on one CPU thread, in a batch of 64: the median of some runs."""
    crops = torch.zeros(LATENCY_BATCH, 3, CROP_SIZE_PX, CROP_SIZE_PX)
    runs_s = []
    with torch_held_to("cpu", threads=1), torch.inference_mode():
        for _ in range(LATENCY_REPEATS):
            started_s = time.perf_counter()
            network(crops)
            runs_s.append(time.perf_counter() - started_s)
    return float(np.median(runs_s)) * 1000 / LATENCY_BATCH


def _check(space: SearchSpace, n_trials: int) -> None:
    if n_trials < 1:
        raise InvalidSetting(f"n_trials {n_trials}: must be 1 or more.")
    for name in ("architectures", "widths", "batch_sizes"):
        if not getattr(space, name):
            raise InvalidSetting(f"{name}: nothing to choose from. Name one at least.")
    low, high = space.learning_rate
    if not 0 < low <= high:
        raise InvalidSetting(f"learning_rate {low} to {high}: must be above 0, the lowest first.")
    for architecture in space.architectures:
        with torch.device("meta"):  # known, and installed? Nothing is drawn for this
            network_of(architecture)


def _trial(
    recipe: Recipe, crops: CropSet, validation: CropSet, execution: Execution, data_hash: str, checkpoints: Path
) -> dict[str, Any]:
    training = train(crops, validation, recipe, execution, data_hash=data_hash, checkpoints=checkpoints)
    best = training.history.row(by_predicate=pl.col("best"), named=True)
    return {
        "state": "complete",
        "error": None,
        "validation_accuracy": best["validation_accuracy"],
        "validation_loss": best["validation_loss"],
        "best_epoch": best["epoch"],
        "n_parameters": parameters_of(training.network),
        "latency_ms": latency_ms(training.network),
    }


def _told(recipe: Recipe) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in ("architecture", "width", "batch_size", "learning_rate")}


def _recipe_of(trial: "optuna.Trial", recipe: Recipe, space: SearchSpace) -> Recipe:
    architecture = trial.suggest_categorical("architecture", space.architectures)
    return replace(
        recipe,
        architecture=architecture,
        width=trial.suggest_categorical("width", space.widths) if architecture.startswith("lenet") else 1.0,
        batch_size=trial.suggest_categorical("batch_size", space.batch_sizes),
        min_batches=1,
        min_steps=1,
        learning_rate=trial.suggest_float("learning_rate", *space.learning_rate, log=True),
    )


def _study(folder: Path, name: str) -> "optuna.Study":
    """The study of this name, new or as it was left."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ModelMissing(f"The search needs the package {error.name}. `{INSTALL}`") from error
    folder.mkdir(parents=True, exist_ok=True)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would tell of each study on standard error
    try:
        return optuna.create_study(
            storage=f"sqlite:///{folder.resolve() / 'study.db'}",
            study_name=name,
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )
    finally:
        optuna.logging.set_verbosity(verbosity)


def _sampler(seed: int, n_made: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import TPESampler

    drawn = int(np.random.SeedSequence([seed, n_made]).generate_state(1)[0])
    return TPESampler(seed=drawn)


def _tell(study: "optuna.Study", trial: "optuna.Trial", row: dict[str, Any]) -> None:
    from optuna.trial import TrialState

    if row["state"] == "complete":
        study.tell(trial, [row["validation_accuracy"], row["n_parameters"]])
    else:
        study.tell(trial, state=TrialState.FAIL)


def _made(study: "optuna.Study") -> list[Any]:
    """Trials that came to an end by themselves: those have a row."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))
    return [trial for trial in ended if "row" in trial.user_attrs]


def _close_interrupted(study: "optuna.Study") -> None:
    """A trial that runs while nobody runs it belongs to a process that is gone; it is made again under a new number."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if row := trial.user_attrs.get("row"):  # killed before its end was told
            values = [row["validation_accuracy"], row["n_parameters"]] if row["state"] == "complete" else None
            study.tell(trial.number, values, state=None if values else TrialState.FAIL)
        else:
            study.tell(trial.number, state=TrialState.FAIL)


def _table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    numbered = [{"trial": trial, **row} for trial, row in enumerate(rows)]
    columns = {name: column.dtype for name, column in SpatterSearch.columns().items() if name != "pareto"}
    table = pl.DataFrame(numbered, schema=columns)
    complete = (table["state"] == "complete").to_numpy()
    front = pareto_front(
        table["validation_accuracy"].fill_null(-math.inf).to_numpy(),
        table["n_parameters"].cast(pl.Float64).fill_null(math.inf).to_numpy(),
    )
    return table.with_columns(pareto=pl.Series(front & complete))
