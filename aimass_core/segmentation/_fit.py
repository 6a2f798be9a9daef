"""The fit of a `Segmentation`: table, scales, mixture, profiles, stability, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_float, as_int
from ._choose import MAX_ROWS, canonical_order, choose, thinned, without_ties
from ._columns import chosen_names
from ._customers import read_customers, without_the_unknown
from ._mixture import TYPES, continued, noise_state
from ._profile import describe_categories, describe_numbers, names_of
from ._scaling import KINDS, Scale, fit_scale
from ._stability import bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._choose import Choice, Progress
    from ._customers import Customers

    Floats = NDArray[np.float64]

__all__ = ["MISSING", "fit_segments", "scaled_rows"]

AUTO_TYPES = ("full", "tied", "diag")
MISSING = ("error", "median", "drop", "marginalize")
_SHAKY = 0.6  # Hennig: a mean Jaccard index below is no stable cluster


def scaled_rows(
    numbers: Mapping[str, Floats], scales: Mapping[str, Scale], missing: str
) -> tuple[Floats, NDArray[np.bool_]]:
    """Columns on the common scale, shape (n, d), and which rows are complete.

    Parameters
    ----------
    numbers : mapping of str to ndarray of float64
        NaN is null.
    scales : mapping of str to Scale
        Of the same columns.
    missing : {"error", "median", "drop", "marginalize"}
        What happens to nulls; with "drop" and "marginalize" their places have NaN.

    Returns
    -------
    Z : ndarray of float64, shape (n, d)
        In row-major order.
    complete : ndarray of bool, shape (n,)
        All true unless rows are dropped; with "marginalize", rows of nulls alone.
    """
    n = len(next(iter(numbers.values())))
    Z = np.empty((n, len(scales)))
    complete = np.full(n, missing != "marginalize")
    for j, (name, scale) in enumerate(scales.items()):
        values = numbers[name]
        null = np.isnan(values)
        if null.any():
            if missing == "error":
                raise ValueError(
                    f"column {name!r} holds {int(null.sum())} nulls, the first in row "
                    f"{int(null.argmax())}: pass missing='median' to put the column's median in "
                    "their place, missing='drop' to leave these rows without a segment, or "
                    "missing='marginalize' to go by what is known"
                )
            if missing == "median":
                values = np.where(null, scale.median, values)
            elif missing == "drop":
                complete &= ~null
        if missing == "marginalize":
            complete |= ~null
        Z[:, j] = scale.apply(values)
    return Z, complete


def _scales(people: Customers, scaling: Any, notes: list[str]) -> dict[str, Scale]:
    """The scale of each feature."""
    if isinstance(scaling, Mapping):
        names = chosen_names(scaling, people.features, "scaling") if scaling else []
        wanted = {n: as_choice(scaling[n], f"scaling[{n!r}]", KINDS) for n in names}
    else:
        kind = as_choice(scaling, "scaling", KINDS)
        wanted = dict.fromkeys(people.features, kind)
    return {
        name: fit_scale(values, wanted.get(name, "auto"), name)
        for name, values in people.features.items()
    }


def _chosen(
    p: dict[str, Any], Z: Floats, n_distinct: int, progress: Progress, notes: list[str]
) -> tuple[Choice, Any]:
    """The best mixture on the thinned rows, and on all."""
    types = AUTO_TYPES if p["covariance_type"] == "auto" else (p["covariance_type"],)
    if p["n_segments"] is not None:
        if p["n_segments"] > n_distinct:
            raise ValueError(
                f"n_segments={p['n_segments']}, but there are only {n_distinct} different rows: "
                "ask for fewer segments"
            )
        counts, min_share = [p["n_segments"]], 0.0
    else:
        counts = list(range(1, min(p["max_segments"], n_distinct) + 1))
        min_share = p["min_share"]
    options = _options(p)
    part = thinned(Z, p["random_state"])
    choice = choose(part, counts, types, p["criterion"], min_share, progress, options)
    mixture = choice.mixture
    if len(part) < len(Z):
        progress("fitting all rows", 0, 0)
        del options["n_init"]
        mixture = continued(mixture, Z, **options)
        notes.append(
            f"the number of segments and the stability come from {MAX_ROWS:,} of {len(Z):,} rows, "
            "drawn at random; the segments from all"
        )
    if not mixture.converged_:
        notes.append(
            f"EM had not settled after max_iter={p['max_iter']} iterations: raise max_iter"
        )
    if p["n_segments"] is None and len(mixture.weights_) == counts[-1] == p["max_segments"]:
        notes.append(
            f"the criterion still improved at max_segments={p['max_segments']}: more segments "
            "would fit better, fewer may be easier to use"
        )
    return choice, mixture


def _options(p: dict[str, Any]) -> dict[str, Any]:
    """For every mixture of a fit."""
    return {
        "reg_covar": p["min_spread"] ** 2, "n_init": p["n_init"], "max_iter": p["max_iter"],
        "random_state": p["random_state"], "n_threads": p["n_threads"], "noise": p["noise"],
        "missing": "marginalize" if p["missing"] == "marginalize" else "error",
    }  # fmt: skip


def _n_distinct(Z: Floats) -> int:
    """Different rows among rows in canonical order, where equal ones stand together."""
    known = np.nan_to_num(Z, nan=-1e7)
    return 1 + int(np.any(known[1:] != known[:-1], axis=1).sum())


def _checked(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as plain numbers and words within bounds."""
    p = dict(params)
    if p["n_segments"] is not None:
        p["n_segments"] = as_int(p["n_segments"], "n_segments", minimum=1)
    for name, minimum in {"max_segments": 1, "n_init": 1, "max_iter": 1, "n_bootstrap": 0}.items():
        p[name] = as_int(p[name], name, minimum=minimum)
    p["random_state"] = as_int(p["random_state"], "random_state", minimum=0, maximum=2**31 - 1)
    p["criterion"] = as_choice(p["criterion"], "criterion", ("bic", "icl"))
    p["covariance_type"] = as_choice(p["covariance_type"], "covariance_type", ("auto", *TYPES))
    p["missing"] = as_choice(p["missing"], "missing", MISSING)
    p["min_share"] = as_float(p["min_share"], "min_share", minimum=0.0, maximum=0.5)
    p["min_spread"] = as_float(p["min_spread"], "min_spread", above=0.0, maximum=1.0)
    p["noise"] = as_float(p["noise"], "noise", minimum=0.0, maximum=0.5)
    p["n_threads"] = resolve_n_threads(p["n_threads"])
    return p


def fit_segments(params: dict[str, Any], table: Any, progress: Progress) -> dict[str, Any]:
    """Everything that a fitted `Segmentation` holds.

    Parameters
    ----------
    params : dict
        Its parameters.
    table : table or path
        One row for each customer.
    progress : callable
        Told a title, how much is done, and of how much.

    Returns
    -------
    dict
        Attribute to value.
    """
    p = _checked(params)
    progress("reading", 0, 0)
    people = read_customers(table, p["columns"], p["id"], p["n_threads"])
    notes = people.notes
    if people.n == 0:
        raise ValueError("the table has no rows: nothing to segment")
    if p["missing"] == "marginalize":
        without_the_unknown(people, MAX_ROWS, asked=p["columns"] is not None)
    if not people.features:
        why = "; ".join(notes) or "it has no columns of numbers"
        raise ValueError(f"no column of the table can tell customers apart: {why}")
    scales = _scales(people, p["scaling"], notes)
    Z, complete = scaled_rows(people.features, scales, p["missing"])
    if not complete.any():
        raise ValueError("every row has a null in some feature: pass missing='median'")
    if not complete.all():
        what = "no known feature" if p["missing"] == "marginalize" else "a null in a feature"
        notes.append(f"{int((~complete).sum()):,} rows with {what} have no segment")
    rows = np.flatnonzero(complete)
    holed = int(np.isnan(Z[rows]).any(axis=1).sum())
    if holed:
        notes.append(
            f"{holed:,} rows have nulls in features: their segments rest on what is known of them"
        )
    for j, name in enumerate(scales):
        if np.nanmin(Z[rows, j]) == np.nanmax(Z[rows, j]):
            raise ValueError(
                f"column {name!r} has one and the same value in all rows without nulls: leave it "
                "out of columns, or pass missing='median'"
            )
    rows = rows[canonical_order(Z[rows])]
    Z = Z[rows]
    smooth = without_ties(Z, p["random_state"])
    choice, mixture = _chosen(p, smooth, _n_distinct(Z), progress, notes)

    progress("describing the segments", 0, 0)
    k = len(mixture.weights_)
    raw = mixture.predict(Z)
    order = _largest_first(np.bincount(raw[raw >= 0], minlength=k), np.asarray(mixture.means_))
    place = np.append(np.argsort(order), -1)  # outliers are -1 before and after
    labels = np.full(people.n, -1, dtype=np.int64)
    labels[rows] = place[raw]
    numbers = describe_numbers(people, scales, labels, k)
    names = names_of(numbers["effect"][:, : len(scales)], list(scales))
    certainty = _certainty(mixture, Z, order)
    sizes = np.bincount(labels[rows][raw >= 0], minlength=k)
    if (sizes == 0).any():
        notes.append("a segment is nobody's most probable one: ask for fewer segments")
    rand, jaccard = np.empty(0), np.empty((0, k))
    if p["n_bootstrap"] and k > 1:
        options = _options(p)
        part = thinned(smooth, p["random_state"])
        rand, jaccard = bootstrap(
            part, mixture, p["n_bootstrap"], p["random_state"], progress, options
        )
        jaccard = jaccard[:, [*order, *range(k, jaccard.shape[1])]]
        shaky = [names[i] for i in range(k) if np.nanmean(jaccard[:, i]) < _SHAKY]
        if shaky:
            notes.append(
                f"the bootstrap does not find {'; '.join(shaky)} again (Jaccard index below "
                f"{_SHAKY}): do not build on it"
            )
    if k == 1:
        notes.append("one segment describes these customers best: no groups were found")
    shared = mixture.covariance_type == "tied"
    if p["noise"] > 0:
        notes.append(
            f"{int((raw < 0).sum()):,} customers are outliers: they belong to no segment, and no "
            "profile counts them"
        )
    return {
        "names_": names,
        "n_outliers_": int((raw < 0).sum()),
        "_noise": noise_state(mixture),
        "sizes_": sizes.astype(np.int64),
        "weights_": np.asarray(mixture.weights_, dtype=np.float64)[order],
        "means_": np.asarray(mixture.means_, dtype=np.float64)[order],
        "covariances_": np.asarray(mixture.covariances_, np.float64)[... if shared else order],
        "covariance_type_": mixture.covariance_type,
        "columns_": list(scales),
        "_scales": scale_state(scales),
        "certainty_": certainty,
        "stability_": {"rand": rand, "jaccard": jaccard},
        "selection_": choice.tried,
        "chosen_": choice.place,
        "numbers_": numbers,
        "categories_": describe_categories(people.categories, labels, k),
        "notes_": notes,
    }


def scale_state(scales: Mapping[str, Scale]) -> dict[str, Any]:
    """Scales as plain columns, for files."""
    fields = ("unit", "center", "spread", "median")
    return {
        "column": tuple(scales),
        "kind": tuple(s.kind for s in scales.values()),
        **{name: np.array([getattr(s, name) for s in scales.values()]) for name in fields},
    }


def _largest_first(sizes: NDArray[np.int64], means: Floats) -> NDArray[np.intp]:
    """An order of the components that does not depend on how EM numbered them."""
    keys = [*np.round(means.T[::-1], 9), -sizes]
    return np.lexsort(keys)


def _certainty(mixture: Any, Z: Floats, order: NDArray[np.intp]) -> Floats:
    """Mean of the largest membership, by the segment that has it; with noise, outliers last."""
    k = len(order) if mixture._noise is None else len(order) + 1
    total, count = np.zeros(k), np.zeros(k)
    for begin in range(0, len(Z), 1 << 16):
        p = mixture.predict_proba(Z[begin : begin + (1 << 16)])
        best = p.argmax(axis=1)
        total += np.bincount(best, p.max(axis=1), minlength=k)
        count += np.bincount(best, minlength=k)
    out: Floats = total / np.maximum(count, 1.0)
    return np.append(out[order], out[len(order) :])
