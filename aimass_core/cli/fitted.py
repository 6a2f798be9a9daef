"""The model of a command: fitted on the interactions, or read from a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .files import check_output, load_saved
from .models import parse_models
from .ratings import Ratings, data_facts, open_ratings

if TYPE_CHECKING:
    from ..data import IdMap, Interactions
    from .console import Steps
    from .models import ModelSpec
    from .options import ColumnOptions, ModelOptions, TableOptions

__all__ = ["FittedModel", "ModelSource", "load_model", "name_of_model"]


@dataclass
class FittedModel:
    """A fitted model and where it comes from.

    Parameters
    ----------
    model : Recommender
        The model.
    label : str
        Its name and options, or the file.
    ratings : Ratings or None
        The interactions of the command line.
    data : Interactions or None
        As they were read.
    is_loaded : bool
        Whether the model was read from a file; then the interactions were not used for it.
    read_seconds, fit_seconds : float
        Time for reading and fitting.
    """

    model: Any
    label: str
    ratings: Ratings | None
    data: Interactions | None
    is_loaded: bool
    read_seconds: float
    fit_seconds: float

    @property
    def users(self) -> IdMap:
        """Ids of the users of the model; row numbers where it has none."""
        return _ids(self.model.users_, self.model.n_users_)

    @property
    def items(self) -> IdMap:
        """Ids of the items of the model; column numbers where it has none."""
        return _ids(self.model.items_, self.model.n_items)

    @property
    def names(self) -> tuple[str, str]:
        """Column names of users and items."""
        from ..base.lists import column_names_of_lists

        return column_names_of_lists(self.model.users_, self.model.items_)

    def facts(self) -> dict[str, Any]:
        """Return what was read and fitted, for the summary.

        Returns
        -------
        dict
        """
        facts: dict[str, Any] = {"model": self.label}
        if self.data is not None and self.ratings is not None:
            facts |= data_facts(self.data, self.ratings.columns)
        return facts


def _ids(ids: IdMap | None, n: int) -> IdMap:
    from ..data import IdMap

    return IdMap.from_range(n) if ids is None else ids


def load_model(path: Path) -> Any:
    """Read a fitted recommender from a file.

    Parameters
    ----------
    path : Path
        Written by ``--save`` or by `save`.

    Returns
    -------
    Recommender

    Raises
    ------
    OSError
        There is no such file.
    ValueError
        It is damaged, or holds something else.
    """
    from ..base.recommender import Recommender

    return load_saved(path, "--model-file", Recommender, "a recommender")


class ModelSource:
    """What the command line says about the model, checked before anything is read.

    Parameters
    ----------
    ratings : str or None
        The table of interactions.
    columns : ColumnOptions
        Its columns.
    tables : TableOptions
        Its format.
    options : ModelOptions
        The model, or its file.
    default : str
        Name of the model if none is given.
    ratings_with_file : bool, default=False
        Whether a model file and a table of interactions go together.

    Raises
    ------
    ValueError
        For arguments that contradict each other, and unknown models, options or columns.
    """

    def __init__(
        self,
        ratings: str | None,
        columns: ColumnOptions,
        tables: TableOptions,
        options: ModelOptions,
        *,
        default: str,
        ratings_with_file: bool = False,
    ) -> None:
        options = _with_file(options)
        self._file = options.model_file
        self._spec: ModelSpec | None = None
        if self._file is None:
            if ratings is None:
                raise ValueError("RATINGS is needed, or --model-file with a fitted model")
            name = options.model or default
            (self._spec,) = parse_models([name], options.settings, {"random_state": options.seed})
        else:
            if options.model is not None or options.settings:
                raise ValueError(
                    "--model-file: the file holds a fitted model, so leave out --model and --set"
                )
            if ratings is not None and not ratings_with_file:
                raise ValueError(
                    "--model-file: the file holds the interactions of the fit, so leave out "
                    "RATINGS ('aimass update' adds further ones)"
                )
        self.ratings = None if ratings is None else open_ratings(ratings, columns, tables)

    @property
    def paths(self) -> list[Path]:
        """Files that no output may overwrite."""
        return [
            *(() if self.ratings is None else self.ratings.paths),
            *(() if self._file is None else [self._file]),
        ]

    def check_save(self, save: Path | None, others: list[Path]) -> None:
        """Refuse a ``--save`` that cannot be written.

        Parameters
        ----------
        save : Path or None
            The path; None saves nothing.
        others : list of Path
            Further files of the command.

        Raises
        ------
        ValueError, OSError
            For a path that cannot be written, or a model that is saved already.
        """
        if save is None:
            return
        if self._file is not None:
            raise ValueError("--save: nothing new is fitted with --model-file")
        check_output(save, "--save", [*self.paths, *others])

    def get(self, steps: Steps) -> FittedModel:
        """Read the interactions and fit the model, or read its file.

        Parameters
        ----------
        steps : Steps
            Where progress is reported.

        Returns
        -------
        FittedModel
        """
        started = perf_counter()
        data = None
        if self.ratings is not None:
            steps.begin(f"reading {self.ratings.name}")
            data = self.ratings.read()
        if self._file is not None:
            steps.begin(f"reading {self._file.name}")
            model = load_model(self._file)
            read_s = perf_counter() - started
            label = f"{name_of_model(model)} of {self._file}"
            return FittedModel(model, label, self.ratings, data, True, read_s, 0.0)
        assert self._spec is not None
        read_s = perf_counter() - started
        steps.begin(f"fitting {self._spec.name}")
        started = perf_counter()
        model = self._spec.build().fit(data)
        fit_s = perf_counter() - started
        return FittedModel(model, self._spec.label, self.ratings, data, False, read_s, fit_s)


def _with_file(options: ModelOptions) -> ModelOptions:
    """Return options in which ``--model FILE`` is ``--model-file FILE``."""
    from ..base.registry import model_names

    name = options.model
    if name is None or options.model_file is not None or name in model_names():
        return options
    path = Path(name)
    return replace(options, model=None, model_file=path) if path.is_file() else options


def name_of_model(model: Any) -> str:
    """Return the registered name of a model.

    Parameters
    ----------
    model : Recommender
        The model.

    Returns
    -------
    str
        The name of its class where it is not registered.
    """
    from ..base.registry import name_of

    inner = getattr(model, "model", model)
    return name_of(type(inner)) or type(inner).__name__
