"""The fit of a `Segmentation`: table, scales, mixture, profiles, stability, one after the other."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.progress import Event, Progress, logger
from ..base.random import as_seed
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_float, as_int
from ..mixture.selection import best_rows, fit_cells
from ._matching import match_previous
from ._mixture import AUTO_TYPES, TYPES, continued, fit_mixture, noise_state
from ._profile import describe_categories, describe_numbers, name_segments
from ._rows import MAX_ROWS, canonical_order, n_distinct_rows, spread_ties, thinned
from ._scaling import KINDS, Scale, fit_scale
from ._stability import bootstrap
from ._table import CustomerTable, match_names, move_unknown_features, read_customers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..mixture import GaussianMixture
    from .segmentation import Segmentation

    Floats = NDArray[np.float64]

__all__ = ["MIN_ROWS", "MISSING", "Stages", "fit_segments", "scaled_columns"]

MIN_ROWS = 10
MISSING = ("error", "median", "drop", "marginalize")
_MIN_JACCARD = 0.6  # Hennig: a cluster with a smaller mean Jaccard index is not stable
_COLLINEAR = 0.95  # correlation of two columns
_MAX_INFLATION = 1000.0  # variance inflation factor of a column that the others determine
_MAX_LISTED = 3


@dataclass(frozen=True)
class Stages:
    """Reports the stages of a fit to a callback and a progress bar."""

    callback: Callable[[Event], Any] | None
    verbose: bool

    def start(self, title: str, n_steps: int) -> Progress:
        """Return the reporter of a stage of several steps."""
        return Progress(title, n_steps, callback=self.callback, verbose=self.verbose)

    def note(self, title: str) -> None:
        """Report a stage of a single step."""
        with self.start(title, 1) as progress:
            progress.step(1)


@dataclass
class _Rows:
    """The rows of a table that form segments, in canonical order.

    ``order`` has their positions in the table. ``Z`` has scaled columns, then the codes of
    category features; in ``smooth`` repeated values are spread over their cells.
    """

    order: NDArray[np.intp]
    Z: Floats
    smooth: Floats
    n_continuous: int
    n_values: tuple[int, ...]


# ---- parameters ----------------------------------------------------------------------------------


def _checked(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters as plain numbers and words within bounds."""
    p = dict(params)
    if p["n_segments"] is not None:
        p["n_segments"] = as_int(p["n_segments"], "n_segments", minimum=1)
    for name, minimum in {"max_segments": 1, "n_init": 1, "max_iter": 1, "n_bootstrap": 0}.items():
        p[name] = as_int(p[name], name, minimum=minimum)
    p["random_state"] = as_seed(p["random_state"]) % 2**31
    p["criterion"] = as_choice(p["criterion"], "criterion", ("bic", "icl"))
    p["covariance_type"] = as_choice(p["covariance_type"], "covariance_type", ("auto", *TYPES))
    p["missing"] = as_choice(p["missing"], "missing", MISSING)
    p["min_share"] = as_float(p["min_share"], "min_share", minimum=0.0, maximum=0.5)
    p["min_spread"] = as_float(p["min_spread"], "min_spread", above=0.0, maximum=1.0)
    p["noise"] = as_float(p["noise"], "noise", minimum=0.0, maximum=0.5)
    p["n_threads"] = resolve_n_threads(p["n_threads"])
    if not isinstance(p["unit"], str) or not p["unit"].strip():
        raise TypeError(f"unit must be a word such as 'customers', got {p['unit']!r}")
    as_bool(p["verbose"], "verbose")
    return p


def _options(p: dict[str, Any], rows: _Rows) -> dict[str, Any]:
    """Return the parameters of every mixture of a fit."""
    categorical = dict(enumerate(rows.n_values, rows.n_continuous)) or None
    allows_missing = p["missing"] == "marginalize" or categorical is not None
    return {
        "reg_covar": p["min_spread"] ** 2,
        "n_init": p["n_init"],
        "max_iter": p["max_iter"],
        "random_state": p["random_state"],
        "n_threads": p["n_threads"],
        "noise": p["noise"],
        "missing": "marginalize" if allows_missing else "error",
        "categorical_features": categorical,
    }


# ---- rows ----------------------------------------------------------------------------------------


def scaled_columns(
    numbers: Mapping[str, Floats],
    codes: Mapping[str, NDArray[np.int32]],
    scales: Mapping[str, Scale],
    missing: str,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return columns on the common scale with the codes beside them, and which rows are complete.

    Parameters
    ----------
    numbers : mapping of str to ndarray of float64
        NaN is null.
    codes : mapping of str to ndarray of int32
        Category features; -1 is unknown.
    scales : mapping of str to Scale
        Scales of the columns of numbers.
    missing : {"error", "median", "drop", "marginalize"}
        What happens to nulls; with "drop" and "marginalize" they become NaN.

    Returns
    -------
    Z : ndarray of float64, shape (n, d + number of category features)
        In row-major order; unknown codes are NaN.
    is_complete : ndarray of bool, shape (n,)
        All true unless rows are dropped; with "marginalize" false for rows of nulls alone.
    """
    n = len(next(iter(numbers.values())))
    Z = np.empty((n, len(scales) + len(codes)))
    is_complete = np.full(n, missing != "marginalize")
    for j, (name, scale) in enumerate(scales.items()):
        values = numbers[name]
        is_null = np.isnan(values)
        if is_null.any():
            if missing == "error":
                raise ValueError(
                    f"column {name!r} holds {int(is_null.sum())} nulls, the first in row "
                    f"{int(is_null.argmax())}: pass missing='median' to put the column's median "
                    "in their place, missing='drop' to leave these rows without a segment, or "
                    "missing='marginalize' to go by what is known"
                )
            if missing == "median":
                values = np.where(is_null, scale.median, values)
            elif missing == "drop":
                is_complete &= ~is_null
        if missing == "marginalize":
            is_complete |= ~is_null
        Z[:, j] = scale.apply(values)
    for j, own in enumerate(codes.values(), len(scales)):
        Z[:, j] = np.where(own < 0, np.nan, own)
        if missing == "marginalize":
            is_complete |= own >= 0
    return Z, is_complete


def _scales(table: CustomerTable, scaling: Any) -> dict[str, Scale]:
    """Return the scale of each feature."""
    if isinstance(scaling, Mapping):
        names = match_names(scaling, table.features, "scaling") if scaling else []
        kinds = {n: as_choice(scaling[n], f"scaling[{n!r}]", KINDS) for n in names}
    else:
        kind = as_choice(scaling, "scaling", KINDS)
        kinds = dict.fromkeys(table.features, kind)
    return {
        name: fit_scale(values, kinds.get(name, "auto"), name)
        for name, values in table.features.items()
    }


def _rows_of(p: dict[str, Any], table: CustomerTable, scales: dict[str, Scale]) -> _Rows:
    """Return scaled rows in canonical order; note or refuse what cannot be used."""
    notes, unit = table.notes, p["unit"]
    codes = {name: category.codes for name, category in table.category_features.items()}
    Z, is_complete = scaled_columns(table.features, codes, scales, p["missing"])
    if not is_complete.any():
        raise ValueError("every row has a null in some feature: pass missing='median'")
    if not is_complete.all():
        reason = "no known feature" if p["missing"] == "marginalize" else "a null in a feature"
        notes.append(f"{int((~is_complete).sum()):,} rows with {reason} have no segment")
    rows = np.flatnonzero(is_complete)
    n_partial = int(np.isnan(Z[rows, : len(scales)]).any(axis=1).sum())
    if n_partial:
        notes.append(
            f"{n_partial:,} rows have nulls in features: their segments rest on what is known of "
            "them"
        )
    for j, name in enumerate(scales):
        if np.nanmin(Z[rows, j]) == np.nanmax(Z[rows, j]):
            raise ValueError(
                f"column {name!r} has one and the same value in all rows without nulls: leave it "
                "out of columns, or pass missing='median'"
            )
    if len(rows) < MIN_ROWS:
        raise ValueError(
            f"the table has {len(rows)} {unit} with known features, and segments need at least "
            f"{MIN_ROWS}"
        )
    order = rows[canonical_order(Z[rows])]
    Z = Z[order]
    _note_collinear(Z[:, : len(scales)], list(scales), notes)
    smooth = Z.copy()
    smooth[:, : len(scales)] = spread_ties(Z[:, : len(scales)], p["random_state"])
    n_values = tuple(len(category.labels) for category in table.category_features.values())
    return _Rows(order, Z, smooth, len(scales), n_values)


def _note_collinear(Z: Floats, names: list[str], notes: list[str]) -> None:
    """Note columns that say nearly the same, or that the others determine."""
    if len(names) < 2:
        return
    centred = np.nan_to_num(Z - np.nanmean(Z, axis=0))
    length = np.sqrt((centred**2).sum(axis=0))
    correlation = (centred.T @ centred) / np.maximum(np.outer(length, length), 1e-300)
    first, second = np.nonzero(np.triu(abs(correlation) >= _COLLINEAR, 1))
    order = np.argsort(-abs(correlation[first, second]), kind="stable")
    pairs = [
        f"{names[first[i]]} and {names[second[i]]} ({correlation[first[i], second[i]]:.2f})"
        for i in order[:_MAX_LISTED]
    ]
    if pairs:
        more = f", and {len(order) - len(pairs):,} more pairs" if len(order) > len(pairs) else ""
        notes.append(
            f"columns that move together (correlation): {', '.join(pairs)}{more}. What they "
            "measure counts more than once: keep one of each pair"
        )
    in_pairs = set(first.tolist()) | set(second.tolist())
    if len(Z) > 2 * len(names):
        inverse = np.linalg.inv(correlation + 1e-9 * np.eye(len(names)))
        determined = np.flatnonzero(np.diag(inverse) > _MAX_INFLATION)
        listed = [names[j] for j in determined if j not in in_pairs]
        if listed:
            shown = ", ".join(listed[:_MAX_LISTED]) + (", ..." if len(listed) > _MAX_LISTED else "")
            notes.append(
                f"columns that others determine as a weighted sum: {shown}. Leave one of them out"
            )


# ---- mixture -------------------------------------------------------------------------------------


@dataclass
class _Choice:
    """The chosen mixture, its labels, and the table of all that were tried.

    ``labels`` are those of the rows in canonical order; -1 is an outlier.
    """

    mixture: GaussianMixture
    labels: NDArray[np.int64]
    tried: dict[str, Any]
    chosen: int


def _cells(p: dict[str, Any], rows: _Rows, n_distinct: int) -> list[tuple[int, str]]:
    """Return the numbers of segments and covariance types to try."""
    if p["n_segments"] is not None:
        counts = [p["n_segments"]]
    else:
        counts = list(range(1, min(p["max_segments"], n_distinct) + 1))
    if p["covariance_type"] != "auto":
        return [(k, p["covariance_type"]) for k in counts]
    n, d = min(len(rows.Z), MAX_ROWS), rows.n_continuous
    cells = []
    for k in counts:
        # A covariance matrix of d columns needs more than d rows to be estimated.
        min_rows = {"full": k * (d + 1), "tied": d + k, "diag": 0}
        types = [kind for kind in AUTO_TYPES if n > min_rows[kind]]
        cells += [(k, kind) for kind in (types if k > 1 else types[:1])]
    return cells


def _choose(p: dict[str, Any], rows: _Rows, notes: list[str], stages: Stages) -> _Choice:
    """Fit all cells on thinned rows, and the best on all rows whose segments are large enough."""
    n_distinct = n_distinct_rows(rows.Z)
    if p["n_segments"] is not None and p["n_segments"] > n_distinct:
        raise ValueError(
            f"n_segments={p['n_segments']}, but there are only {n_distinct} different rows: ask "
            "for fewer segments"
        )
    options = _options(p, rows)
    part = thinned(rows.smooth, p["random_state"])
    cells = _cells(p, rows, n_distinct)
    title = "choosing the number of segments"
    with stages.start(title, len(cells)) as progress:
        table, mixtures = fit_cells(
            part, cells, lambda k, kind: fit_mixture(part, k, kind, **options), None, progress
        )
    min_share = 0.0 if p["n_segments"] is not None else p["min_share"]
    further = {name: value for name, value in options.items() if name != "n_init"}
    for row in best_rows(table, p["criterion"], min_share):
        mixture = mixtures[row]
        assert mixture is not None
        if len(part) < len(rows.Z):
            stages.note("fitting all rows")
            mixture = continued(mixture, rows.smooth, **further)
        labels = mixture.predict(rows.Z)
        sizes = np.bincount(labels[labels >= 0], minlength=len(mixture.weights_))
        if sizes.min() >= min_share * len(labels):
            _note_choice(p, rows, mixture, cells, notes)
            return _Choice(mixture, labels, _tried(table), row)
    raise ValueError(
        f"no mixture of {cells[0][0]} to {cells[-1][0]} segments leaves every segment at least "
        f"{min_share:.1%} of the {p['unit']}: lower min_share or ask for fewer segments"
    )


def _note_choice(
    p: dict[str, Any],
    rows: _Rows,
    mixture: GaussianMixture,
    cells: list[tuple[int, str]],
    notes: list[str],
) -> None:
    k = len(mixture.weights_)
    if len(rows.Z) > MAX_ROWS:
        notes.append(
            f"the number of segments and the stability come from {MAX_ROWS:,} of {len(rows.Z):,} "
            "rows, drawn at random; the segments from all"
        )
    if not mixture.converged_:
        notes.append(f"EM did not converge in max_iter={p['max_iter']} iterations: raise max_iter")
    if p["n_segments"] is None and k == max(k for k, _ in cells) == p["max_segments"]:
        notes.append(
            f"the criterion still improved at max_segments={p['max_segments']}: more segments "
            "would fit better, fewer may be easier to use"
        )
    if k == 1:
        notes.append(f"one segment describes these {p['unit']} best: no groups were found")


def _tried(table: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the table of all mixtures as plain columns, for files."""
    return {
        "n_segments": np.array(table["n_components"]),
        "covariance_type": tuple(table["covariance_type"]),
        "bic": np.array(table["bic"]),
        "icl": np.array(table["icl"]),
        "smallest_share": np.array(table["smallest_share"]),
        "converged": np.array(table["converged"], dtype=bool),
    }


# ---- the whole fit -------------------------------------------------------------------------------


def fit_segments(
    params: dict[str, Any], table: Any, previous: Segmentation | None
) -> dict[str, Any]:
    """Return the attributes of a fitted `Segmentation`.

    Parameters
    ----------
    params : dict
        Its parameters.
    table : table or path
        One row for each customer.
    previous : Segmentation or None
        An earlier one, whose letters matching segments take over.

    Returns
    -------
    dict
        Attribute to value.
    """
    p = _checked(params)
    stages = Stages(p["callback"], p["verbose"])
    people = read_customers(
        table, p["columns"], p["include"], p["categorical"], p["id"], p["n_threads"]
    )
    stages.note("reading the table")
    notes = people.notes
    if p["missing"] == "marginalize":
        move_unknown_features(people, MAX_ROWS, is_explicit=p["columns"] is not None)
    if not people.features:
        reason = "; ".join(notes) or "it has no columns of numbers"
        raise ValueError(f"no column of the table can tell customers apart: {reason}")
    scales = _scales(people, p["scaling"])
    rows = _rows_of(p, people, scales)
    with _one_blas_thread():
        choice = _choose(p, rows, notes, stages)
        described = _described(p, people, scales, rows, choice, table, previous)
        stages.note("describing the segments")
        _add_stability(p, rows, choice, described, stages)
    logger.info(
        "segments: %d %s in %d segments by %d columns, %s covariances",
        people.n_rows,
        p["unit"],
        len(described["names_"]),
        len(scales),
        choice.mixture.covariance_type,
    )
    return described


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread while the block runs, where threadpoolctl is installed.

    BLAS multiplies matrices of columns x columns only, for which its threads cost more than they
    save: on a busy machine a fit of 300 x 80 takes ten times as long with two of them. The passes
    over the rows have threads of their own.
    """
    try:
        threadpoolctl = importlib.import_module("threadpoolctl")
    except ImportError:
        yield
        return
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        yield


def _described(
    p: dict[str, Any],
    people: CustomerTable,
    scales: dict[str, Scale],
    rows: _Rows,
    choice: _Choice,
    table: Any,
    previous: Segmentation | None,
) -> dict[str, Any]:
    """Return the description of the segments without their stability, the largest segment first."""
    mixture, notes = choice.mixture, people.notes
    k = len(mixture.weights_)
    is_inside = choice.labels >= 0
    order = _largest_first(
        np.bincount(choice.labels[is_inside], minlength=k), np.asarray(mixture.means_)
    )
    rank = np.append(np.argsort(order), -1)  # outliers are -1 before and after
    labels = np.full(people.n_rows, -1, dtype=np.int64)
    labels[rows.order] = rank[choice.labels]
    sizes = np.bincount(labels[labels >= 0], minlength=k)
    if (sizes == 0).any():
        notes.append("a segment is nobody's most probable one: ask for fewer segments")
    numbers = describe_numbers(people, scales, labels, k)
    categories = describe_categories(people, labels, k)
    match = match_previous(previous, table, labels, k)
    notes.extend(match.notes)
    n_outliers = int((~is_inside).sum())
    if p["noise"] > 0:
        notes.append(
            f"{n_outliers:,} of the {p['unit']} are outliers: they belong to no segment, and no "
            "profile counts them"
        )
    is_tied = mixture.covariance_type in ("tied", "tied_diag")
    covariances = np.asarray(mixture.covariances_, np.float64)
    tables = mixture.category_probabilities_.values()
    return {
        "names_": name_segments(
            numbers, categories, len(scales), list(people.category_features), p["unit"]
        ),
        "keys_": match.keys,
        "drift_": match.drift,
        "n_outliers_": n_outliers,
        "_noise": noise_state(mixture),
        "sizes_": sizes.astype(np.int64),
        "weights_": np.asarray(mixture.weights_, dtype=np.float64)[order],
        "means_": np.asarray(mixture.means_, dtype=np.float64)[order],
        "covariances_": covariances if is_tied else covariances[order],
        "covariance_type_": mixture.covariance_type,
        "columns_": list(scales),
        "category_columns_": {n: c.labels for n, c in people.category_features.items()},
        "_category_probabilities": {
            name: np.asarray(part)[order]
            for name, part in zip(people.category_features, tables, strict=True)
        },
        "_scales": scale_state(scales),
        "certainty_": _certainty(mixture, rows.Z, order),
        "selection_": choice.tried,
        "chosen_": choice.chosen,
        "numbers_": numbers,
        "categories_": categories,
        "notes_": notes,
        "_order": order,
    }


def _add_stability(
    p: dict[str, Any], rows: _Rows, choice: _Choice, state: dict[str, Any], stages: Stages
) -> None:
    """Add the result of the bootstrap, and a note on segments that it does not find again."""
    mixture, order = choice.mixture, state.pop("_order")
    k = len(order)
    rand, jaccard = np.empty(0), np.empty((0, k))
    if p["n_bootstrap"] and k > 1:
        options = _options(p, rows)
        part = thinned(rows.smooth, p["random_state"])
        with stages.start("stability under the bootstrap", p["n_bootstrap"]) as progress:
            rand, jaccard = bootstrap(
                part, mixture, p["n_bootstrap"], p["random_state"], progress, options
            )
        jaccard = jaccard[:, [*order, *range(k, jaccard.shape[1])]]
        unstable = [
            f"{state['keys_'][i]} ({state['names_'][i]})"
            for i in range(k)
            if np.nanmean(jaccard[:, i]) < _MIN_JACCARD
        ]
        if unstable:
            state["notes_"].append(
                f"the bootstrap does not find {'; '.join(unstable)} again (Jaccard index below "
                f"{_MIN_JACCARD}): do not build on it"
            )
    state["stability_"] = {"rand": rand, "jaccard": jaccard}


def scale_state(scales: Mapping[str, Scale]) -> dict[str, Any]:
    """Return scales as plain columns, for files."""
    fields = ("unit", "center", "spread", "median")
    return {
        "column": tuple(scales),
        "kind": tuple(s.kind for s in scales.values()),
        **{name: np.array([getattr(s, name) for s in scales.values()]) for name in fields},
    }


def _largest_first(sizes: NDArray[np.int64], means: Floats) -> NDArray[np.intp]:
    """Return an order of the components that does not depend on how EM numbered them."""
    keys = [*np.round(means.T[::-1], 9), -sizes]
    return np.lexsort(keys)


def _certainty(mixture: GaussianMixture, Z: Floats, order: NDArray[np.intp]) -> Floats:
    """Return the mean of the largest membership, by the segment that has it; outliers last."""
    k = len(order) if mixture._noise is None else len(order) + 1
    total, count = np.zeros(k), np.zeros(k)
    for begin in range(0, len(Z), 1 << 16):
        p = mixture.predict_proba(Z[begin : begin + (1 << 16)])
        best = p.argmax(axis=1)
        total += np.bincount(best, p.max(axis=1), minlength=k)
        count += np.bincount(best, minlength=k)
    out: Floats = total / np.maximum(count, 1.0)
    return np.append(out[order], out[len(order) :])
