"""Optuna's study of a search: in memory, or in a storage of Optuna, where dashboards read it."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from runwidgets.client.search.sampler import PointSampler
from runwidgets.client.search.space import SearchSpace
from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import SearchConfig

SWEEP_ATTRIBUTE = "sweep"
"""User attribute of a study: the id of the sweep."""


def make_sampler(
    space: SearchSpace, seed: int, sampler: "optuna.samplers.BaseSampler | None"
) -> PointSampler:
    """Return the sampler of a search: around the given one, or the tree-structured Parzen estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        used_sampler = sampler or optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    return PointSampler(used_sampler, space, has_state=sampler is not None)


def open_study(
    search: SearchConfig,
    sampler: PointSampler,
    pruner: "optuna.pruners.BasePruner | None",
    *,
    storage: "str | optuna.storages.BaseStorage | None",
    sweep_id: str | None,
) -> optuna.Study:
    """Open the study of a search.

    Parameters
    ----------
    search : dict
        Gives the name and the directions.
    sampler : PointSampler
        Suggests points.
    pruner : optuna.pruners.BasePruner, optional
        None for no pruning.
    storage : str or optuna.storages.BaseStorage, optional
        Where the study is stored; None for memory.
    sweep_id : str, optional
        The sweep that is resumed, whose study may exist; None to create a study.

    Raises
    ------
    InvalidArgumentError
        The storage cannot be opened, or has another study with the name.
    """
    directions = [each["direction"] for each in search["objectives"]]
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=search["study"],
            directions=directions,
            sampler=sampler,
            pruner=pruner or optuna.pruners.NopPruner(),
            load_if_exists=sweep_id is not None,
        )
    except DuplicatedStudyError as error:
        problem = f"it has a study '{search['study']}' already"
        raise InvalidArgumentError("storage", problem, "give another name, or delete that study") from error
    except (ImportError, OSError, ValueError, SQLAlchemyError, StorageInternalError) as error:
        reason = " ".join(str(error).split())
        raise InvalidArgumentError("storage", f"it cannot be opened: {reason:.300}") from error
    _check_owner(study, directions, sweep_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([each["metric"] for each in search["objectives"]])
    return study


def set_owner(study: optuna.Study, sweep_id: str) -> None:
    """Write down in a study to which sweep it belongs."""
    study.set_user_attr(SWEEP_ATTRIBUTE, sweep_id)


@contextmanager
def discarding(study: optuna.Study) -> Iterator[None]:
    """Delete a new study if its search cannot be started."""
    try:
        yield
    except BaseException:
        optuna.delete_study(study_name=study.study_name, storage=study._storage)
        raise


def _check_owner(study: optuna.Study, directions: Sequence[str], sweep_id: str | None) -> None:
    owner = study.user_attrs.get(SWEEP_ATTRIBUTE, sweep_id)
    if owner != sweep_id or [each.name.lower() for each in study.directions] != directions:
        raise InvalidArgumentError(
            "storage", f"its study '{study.study_name}' belongs to another search", "give another storage"
        )
