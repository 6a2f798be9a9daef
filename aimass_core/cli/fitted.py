"""The model of a command: fitted on the interactions, or read from a file."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .console import shown_events
from .features import features_of
from .files import check_output, load_saved
from .models import model_class, naming_models, parse_models
from .ratings import Ratings, data_facts, open_ratings

if TYPE_CHECKING:
    from ..data import FeatureTable, IdMap, Interactions
    from .console import Steps
    from .features import FeatureOptions
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
    features : dict of str to FeatureTable
        Features of items and users of the command line.
    """

    model: Any
    label: str
    ratings: Ratings | None
    data: Interactions | None
    is_loaded: bool
    read_seconds: float
    fit_seconds: float
    features: dict[str, Any] = field(default_factory=dict)

    @property
    def users(self) -> IdMap:
        """Ids of the users of the model; row numbers where it has none."""
        return _ids(self.model.users_, self.model.n_users_)

    @property
    def items(self) -> IdMap:
        """Ids of the items that are ranked; column numbers where the model has none."""
        if "item_features" in self.features:
            catalog = self.model._catalog(self.features["item_features"])
            return _ids(catalog.ids, catalog.size)
        return _ids(self.model.items_, self.model.n_items)

    def table_of_new_users(self, known: IdMap) -> FeatureTable | None:
        """Return the features of the users of ``--user-features`` without interactions.

        Parameters
        ----------
        known : IdMap
            Users who get lists by their interactions.

        Returns
        -------
        FeatureTable or None
            The rows of users who are neither among these nor in the fit; None if there are none.
        """
        table = self.features.get("user_features")
        if table is None or table.ids is None or "user_features" in self.model.requires:
            return None
        column = table.ids._column()
        is_new = (known._find(column) < 0) & (self.users._find(column) < 0)
        return features_of(table, table.ids.ids[is_new]) if is_new.any() else None

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
    features : FeatureOptions, optional
        Tables of features.

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
        features: FeatureOptions | None = None,
    ) -> None:
        options = _with_file(options)
        self._features = features
        self._encoding = tables.encoding
        self._file = options.model_file
        self._spec: ModelSpec | None = None
        if self._file is None:
            if ratings is None:
                raise ValueError("RATINGS is needed, or --model-file with a fitted model")
            name = options.model or default
            (self._spec,) = parse_models([name], options.settings, {"random_state": options.seed})
            if features is not None:
                features.check([model_class(self._spec.name)])
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
            *(() if self._features is None else self._features.paths),
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

    def get(self, steps: Steps, executor: dict[str, Any] | None = None) -> FittedModel:
        """Read the interactions and fit the model, or read its file.

        Parameters
        ----------
        steps : Steps
            Where progress is reported.
        executor : dict, optional
            Arguments of `fit` that name an executor; models without them are fitted here.

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
            features = self._read_features(model.items_, model.users_, model)
            return FittedModel(model, label, self.ratings, data, True, read_s, 0.0, features)
        assert self._spec is not None
        features = self._read_features(getattr(data, "items", None), getattr(data, "users", None))
        read_s = perf_counter() - started
        steps.begin(f"fitting {self._spec.name}")
        started = perf_counter()
        unfitted = self._spec.build()
        options: dict[str, Any] = {}
        if executor and "executor" in inspect.signature(unfitted.fit).parameters:
            options = {**executor, "callback": shown_events(steps)}
        with naming_models([self._spec]):
            model = unfitted.fit(data, **features, **options)
        fit_s = perf_counter() - started
        label = self._spec.label
        return FittedModel(model, label, self.ratings, data, False, read_s, fit_s, features)

    def _read_features(
        self, items: IdMap | None, users: IdMap | None, model: Any = None
    ) -> dict[str, Any]:
        """Return the features of the command line, encoded as in the fit of a loaded model."""
        if self._features is None or not self._features.are_given:
            return {}
        if model is not None:
            self._features.check([model])
        return dict(self._features.read(items, users, self._encoding, model))


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
    from ..base.foreign import AdaptedModel
    from ..base.registry import name_of

    inner = model.model if isinstance(model, AdaptedModel) else model
    return name_of(type(inner)) or type(inner).__name__
