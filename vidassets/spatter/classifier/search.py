"""The search for a better recipe: accuracy against number of parameters.

Needs torch and optuna: import it inside functions only.
"""

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
from vidassets.progress import report_part
from vidassets.schemas.spatter import SpatterSearch
from vidassets.spatter.classifier.architectures import build_network, count_parameters
from vidassets.spatter.classifier.lenet import CROP_SIZE_PX
from vidassets.spatter.classifier.recipe import Execution, Recipe, fingerprint
from vidassets.spatter.classifier.training import LabelledCrops, deterministic_torch, train

if TYPE_CHECKING:
    import optuna

INSTALL = "pip install 'vidassets[search]'"
LATENCY_BATCH, LATENCY_REPEATS = 64, 9


@dataclass(frozen=True)
class SearchSpace:
    """The space of recipes. Learning rates are drawn uniformly in their logarithm; only LeNet varies in width.

    Args:
        architectures: see `architectures.build_network`.
        widths: factors on the width of LeNet's layers.
        batch_sizes: crops per step.
        learning_rate: lower and upper bound.
    """

    architectures: tuple[str, ...] = ("lenet5", "lenet5-classical")
    widths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    batch_sizes: tuple[int, ...] = (256, 512, 1024)
    learning_rate: tuple[float, float] = (1e-4, 1e-2)


def search_recipes(
    crops: LabelledCrops,
    validation: LabelledCrops,
    recipe: Recipe,
    space: SearchSpace,
    execution: Execution,
    *,
    n_trials: int,
    data_hash: str,
    folder: Path,
    on_trial: Callable[[dict[str, Any]], None] = lambda row: None,
) -> pl.DataFrame:
    """Return all trials with their accuracy and cost: rows of `spatter_schemas.SpatterSearch`, in order.

    A search that was killed resumes with the interrupted trial, from that trial's last epoch, and gives the same trials
    as an uninterrupted search. A finished search continues when `n_trials` grows. One process at a time may run it.

    Recipes are chosen by the multi-objective tree-structured Parzen estimator of Optuna (Akiba et al., "Optuna: a
    next-generation hyperparameter optimization framework", KDD 2019). The objectives are the accuracy of the best epoch
    and the number of parameters, which unlike latency is the same in each run.

    Args:
        crops, validation, data_hash: see `training.train`. Test crops are not used.
        recipe: epochs, patience and seed of each trial.
        space: of the other settings.
        execution: see `training.train`.
        n_trials: in total, including failed trials.
        folder: for the study (SQLite) and the checkpoints.
        on_trial: called with the row of each trial that this process runs.
    Raises:
        ModelMissing: Optuna is not installed.
        InvalidSetting: the space is empty, or n_trials is below 1.
        OneClassOnly, DeviceUnavailable: see `training.train`.
    """
    _check(space, n_trials)
    study_name = fingerprint(recipe, space=repr(space), data=data_hash, torch=torch.__version__)
    study = _open_study(folder, study_name)
    _close_interrupted(study)
    while (n_finished := len(_finished_trials(study))) < n_trials:
        # Seeded by the trial's number alone: trials are the same after an interrupt and in a longer search.
        study.sampler = _sampler(recipe.seed, n_finished)
        trial = study.ask()
        tried = _recipe_of(trial, recipe, space)
        try:
            row = _trial(tried, crops, validation, execution, data_hash, folder / "checkpoints")
        except TrainingError as error:
            row = {"state": "failed", "error": str(error)}
        row = _searched_settings(tried) | row
        # Stored before Optuna learns the result: `_close_interrupted` completes a trial that was killed in between.
        trial.set_user_attr("row", row)
        _report(study, trial, row)
        report_part(n_finished + 1, n_trials, "trials")
        on_trial({"trial": n_finished, **row})
    return _table([trial.user_attrs["row"] for trial in _finished_trials(study)][:n_trials])


def pareto_front(accuracy: np.ndarray, n_parameters: np.ndarray) -> np.ndarray:
    """Return which trials no other trial dominates, bool (N,).

    A trial dominates another if it is at least as good in both measures and better in one.

    >>> pareto_front(np.array([0.9, 0.95, 0.9]), np.array([100, 200, 150])).tolist()
    [True, True, False]
    """
    # [i, j], (N, N): trial i is at least as good as j in both measures; trial i is better than j in one.
    as_good = (accuracy[:, None] >= accuracy) & (n_parameters[:, None] <= n_parameters)
    better = (accuracy[:, None] > accuracy) | (n_parameters[:, None] < n_parameters)
    return ~np.any(as_good & better, axis=0, keepdims=True)[0]


def latency_ms(network: nn.Module) -> float:
    """Return the milliseconds per crop on one CPU thread in batches of 64: the median of nine runs."""
    crops = torch.zeros(LATENCY_BATCH, 3, CROP_SIZE_PX, CROP_SIZE_PX)
    runs_s = []
    with deterministic_torch("cpu", threads=1), torch.inference_mode():
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
            raise InvalidSetting(f"{name}: the list is empty. Give at least one value.")
    low, high = space.learning_rate
    if not 0 < low <= high:
        raise InvalidSetting(f"learning_rate {low} to {high}: must be above 0, the lower bound first.")
    for architecture in space.architectures:
        with torch.device("meta"):  # check the name and the package without drawing weights
            build_network(architecture)


def _trial(
    recipe: Recipe,
    crops: LabelledCrops,
    validation: LabelledCrops,
    execution: Execution,
    data_hash: str,
    checkpoints: Path,
) -> dict[str, Any]:
    training = train(crops, validation, recipe, execution, data_hash=data_hash, checkpoints=checkpoints)
    best = training.history.row(by_predicate=pl.col("best"), named=True)
    return {
        "state": "complete",
        "error": None,
        "validation_accuracy": best["validation_accuracy"],
        "validation_loss": best["validation_loss"],
        "best_epoch": best["epoch"],
        "n_parameters": count_parameters(training.network),
        "latency_ms": latency_ms(training.network),
    }


def _searched_settings(recipe: Recipe) -> dict[str, Any]:
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


def _open_study(folder: Path, name: str) -> "optuna.Study":
    """Return the study of this name; it is created if it does not exist."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ModelMissing(f"The search needs the package {error.name}. Install it with `{INSTALL}`.") from error
    folder.mkdir(parents=True, exist_ok=True)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it logs each study on standard error
    try:
        return optuna.create_study(
            storage=f"sqlite:///{folder.resolve() / 'study.db'}",
            study_name=name,
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )
    finally:
        optuna.logging.set_verbosity(verbosity)


def _sampler(seed: int, n_finished: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import TPESampler

    drawn = int(np.random.SeedSequence([seed, n_finished]).generate_state(1)[0])
    return TPESampler(seed=drawn)


def _report(study: "optuna.Study", trial: "optuna.Trial", row: dict[str, Any]) -> None:
    from optuna.trial import TrialState

    if row["state"] == "complete":
        study.tell(trial, [row["validation_accuracy"], row["n_parameters"]])
    else:
        study.tell(trial, state=TrialState.FAIL)


def _finished_trials(study: "optuna.Study") -> list[Any]:
    """Return the trials that ended without being interrupted: those that have a row."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))
    return [trial for trial in ended if "row" in trial.user_attrs]


def _close_interrupted(study: "optuna.Study") -> None:
    """Close trials that a killed process left running. A trial without a row is run again under a new number."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if row := trial.user_attrs.get("row"):  # killed before its result was reported
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
