"""Second-stage estimators of scikit-learn, and their fitted form as plain arrays.

A fitted estimator is converted into arrays that can be written to a file and read without executing
anything: affine steps, linear models, multi-layer perceptrons, trees, forests and gradient
boosting. The converted form answers from then on, so that a model gives the same scores before and
after it was saved. At the fit it is compared with the estimator on training rows; an estimator that
cannot be converted, or is converted wrongly (a scikit-learn release with another layout), is kept
as it is, answers itself, and cannot be saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from ..base.optional import import_optional

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["NAMED", "Scorer", "as_estimator", "convert", "described", "estimator_scores"]

NAMED = ("logistic", "boosting", "forest")
# Classes that a description in a file may name: all are converted, none executes what it is given.
_MODULES = {
    "LogisticRegression": "sklearn.linear_model",
    "LinearRegression": "sklearn.linear_model",
    "Ridge": "sklearn.linear_model",
    "RidgeClassifier": "sklearn.linear_model",
    "SGDClassifier": "sklearn.linear_model",
    "LinearSVC": "sklearn.svm",
    "MLPClassifier": "sklearn.neural_network",
    "MLPRegressor": "sklearn.neural_network",
    "DecisionTreeClassifier": "sklearn.tree",
    "DecisionTreeRegressor": "sklearn.tree",
    "ExtraTreesClassifier": "sklearn.ensemble",
    "ExtraTreesRegressor": "sklearn.ensemble",
    "RandomForestClassifier": "sklearn.ensemble",
    "RandomForestRegressor": "sklearn.ensemble",
    "GradientBoostingClassifier": "sklearn.ensemble",
    "GradientBoostingRegressor": "sklearn.ensemble",
    "HistGradientBoostingClassifier": "sklearn.ensemble",
    "HistGradientBoostingRegressor": "sklearn.ensemble",
    "StandardScaler": "sklearn.preprocessing",
}
_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")


def as_estimator(value: Any, random_state: int) -> Any:
    """Return an unfitted scikit-learn estimator from a name, a description or an estimator."""
    if isinstance(value, str):
        if value not in NAMED:
            raise ValueError(
                f"estimator must be one of {', '.join(NAMED)}, or a scikit-learn estimator, got "
                f"{value!r}"
            )
        ensemble = import_optional("sklearn.ensemble")
        if value == "boosting":
            return ensemble.HistGradientBoostingClassifier(
                max_iter=100,
                max_leaf_nodes=15,
                min_samples_leaf=50,
                early_stopping=False,
                random_state=random_state,
            )
        if value == "forest":
            return ensemble.RandomForestClassifier(
                n_estimators=50, min_samples_leaf=20, random_state=random_state
            )
        steps = [_build("StandardScaler", {}), _build("LogisticRegression", {"max_iter": 1000})]
        return import_optional("sklearn.pipeline").make_pipeline(*steps)
    if isinstance(value, Mapping):
        if set(value) != {"steps"}:
            raise ValueError("estimator: a description must have the key 'steps' only")
        steps = [_build(name, dict(params)) for name, params in value["steps"]]
        if len(steps) == 1:
            return steps[0]
        return import_optional("sklearn.pipeline").make_pipeline(*steps)
    if isinstance(value, type) or not hasattr(value, "fit") or not hasattr(value, "get_params"):
        raise TypeError(
            f"estimator must be a name ({', '.join(NAMED)}) or a scikit-learn estimator, got "
            f"{value!r}"
        )
    base = import_optional("sklearn.base")
    if isinstance(value, (base.ClusterMixin, base.OutlierMixin)):
        raise TypeError(
            f"estimator must learn from labels, and {type(value).__name__} does not: take a "
            "classifier or a regressor"
        )
    return base.clone(value)


def _build(name: str, params: dict[str, Any]) -> Any:
    if name not in _MODULES:
        raise ValueError(f"estimator: {name!r} is not one of {', '.join(sorted(_MODULES))}")
    return getattr(import_optional(_MODULES[name]), name)(**params)


def _steps(estimator: Any) -> list[Any]:
    return [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]


def described(estimator: Any) -> Any:
    """Return what a file stores of an unfitted estimator; raise TypeError if it can store nothing.

    Names and descriptions are returned as they are.
    """
    if isinstance(estimator, (str, Mapping)):
        return estimator
    steps = []
    for step in _steps(estimator):
        name, params = type(step).__name__, step.get_params(deep=False)
        plain = all(
            v is None or isinstance(v, (bool, int, float, str, tuple, list, dict))
            for v in params.values()
        )
        if _MODULES.get(name) is None or not type(step).__module__.startswith("sklearn."):
            raise TypeError(
                f"a Stacking with a {name} cannot be saved, because aimass_core writes no pickle: "
                f"take one of {', '.join(sorted(_MODULES))}, alone or after a StandardScaler in a "
                "pipeline, or keep the model in memory"
            )
        if not plain:
            raise TypeError(
                f"a Stacking with a {name} whose parameters are not all numbers and words cannot "
                "be saved: give numbers and words (random_state=0), or keep the model in memory"
            )
        defaults = type(step)().get_params(deep=False)
        steps.append([name, {k: v for k, v in params.items() if repr(v) != repr(defaults[k])}])
    return {"steps": steps}


def estimator_scores(estimator: Any, features: Floats) -> Floats:
    """Return the probability of the second class, else the decision function, else `predict`."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(features)[:, 1], dtype=np.float64)
    if hasattr(estimator, "decision_function"):
        return np.asarray(estimator.decision_function(features), dtype=np.float64)
    return np.asarray(estimator.predict(features), dtype=np.float64)


class Scorer:
    """A fitted estimator as plain arrays.

    Parameters
    ----------
    parts : dict
        What `convert` returns: words, numbers and arrays.
    n_features : int
        Number of features.
    """

    def __init__(self, parts: dict[str, Any], n_features: int) -> None:
        self.parts = parts
        self._n_features = n_features
        self._check()

    def _check(self) -> None:
        parts, n = self.parts, self._n_features
        if parts["kind"] not in ("linear", "network", "trees") or parts["link"] not in (
            "identity",
            "logit",
        ):
            raise ValueError("an unknown kind of second stage")
        for name in ("shift", "scale"):
            if parts[name].shape != (n,):
                raise ValueError("the second stage does not fit the features")
        if parts["kind"] == "linear" and parts["coefficients"].shape != (n,):
            raise ValueError("the second stage does not fit the features")
        if parts["kind"] == "network":
            self._check_network()
        if parts["kind"] == "trees":
            self._check_trees()

    def _check_network(self) -> None:
        width = self._n_features
        for layer in range(int(self.parts["n_layers"])):
            weights, bias = self.parts[f"weights_{layer}"], self.parts[f"bias_{layer}"]
            if weights.ndim != 2 or weights.shape[0] != width or bias.shape != weights.shape[1:]:
                raise ValueError("the layers of the second stage do not fit together")
            width = weights.shape[1]
        if width != 1 or self.parts["activation"] not in _ACTIVATIONS:
            raise ValueError("the layers of the second stage do not fit together")

    def _check_trees(self) -> None:
        nodes = [self.parts[n] for n in ("feature", "threshold", "left", "right", "value")]
        n = len(nodes[0])
        feature, left, right = nodes[0], nodes[2], nodes[3]
        roots = self.parts["roots"]
        inner = feature >= 0
        here = np.arange(n)
        good = (
            all(array.shape == (n,) for array in nodes)
            and ((roots >= 0) & (roots < n)).all()
            and (feature < self._n_features).all()
            # Children stand after their parents, so that every path ends.
            and ((left > here) & (left < n))[inner].all()
            and ((right > here) & (right < n))[inner].all()
        )
        if not good:
            raise ValueError("the trees of the second stage are damaged")

    def __call__(self, features: Floats) -> Floats:
        """Return one score for each row of features."""
        parts = self.parts
        x = (features - parts["shift"]) / parts["scale"]
        if parts["kind"] == "linear":
            # Not by BLAS: a row's sum must not depend on the other rows.
            raw = np.full(len(x), float(parts["intercept"]))
            for j, coefficient in enumerate(parts["coefficients"].tolist()):
                raw += coefficient * x[:, j]
        elif parts["kind"] == "network":
            raw = self._network(x)
        else:
            raw = self._trees(x)
        score: Floats = expit(raw) if parts["link"] == "logit" else raw
        return score

    def _network(self, x: Floats) -> Floats:
        n_layers = int(self.parts["n_layers"])
        for layer in range(n_layers):
            weights = self.parts[f"weights_{layer}"]
            out = np.tile(self.parts[f"bias_{layer}"].astype(np.float64), (len(x), 1))
            for j in range(weights.shape[0]):
                out += x[:, j, None] * weights[j]
            x = _activated(out, self.parts["activation"]) if layer < n_layers - 1 else out
        return x[:, 0]

    def _trees(self, x: Floats) -> Floats:
        feature, threshold = self.parts["feature"], self.parts["threshold"]
        left, right, value = self.parts["left"], self.parts["right"], self.parts["value"]
        if self.parts["is_single"]:  # trees of scikit-learn compare in float32
            x = x.astype(np.float32).astype(np.float64)
        total = np.full(len(x), float(self.parts["intercept"]))
        for root in self.parts["roots"].tolist():
            node = np.full(len(x), root, dtype=np.int64)
            active = np.flatnonzero(feature[node] >= 0)
            while len(active):
                here = node[active]
                goes_left = x[active, feature[here]] <= threshold[here]
                node[active] = np.where(goes_left, left[here], right[here])
                active = active[feature[node[active]] >= 0]
            total += value[node]
        return total / float(self.parts["divisor"])


def _activated(x: Floats, name: str) -> Floats:
    if name == "relu":
        return np.maximum(x, 0.0)
    if name == "tanh":
        return np.tanh(x)
    if name == "logistic":
        activated: Floats = expit(x)
        return activated
    return x


def convert(estimator: Any, features: Floats) -> Scorer | None:
    """Return a fitted estimator as arrays, or None where there is no such form.

    Parameters
    ----------
    estimator : object
        A fitted scikit-learn estimator or pipeline.
    features : ndarray of float64, shape (n, n_features)
        Rows on which both forms are compared.

    Returns
    -------
    Scorer or None
    """
    n_features = features.shape[1]
    *before, last = _steps(estimator)
    shift, scale = np.zeros(n_features), np.ones(n_features)
    for step in before:
        if type(step).__name__ != "StandardScaler" or len(before) > 1:
            return None
        if step.mean_ is not None:
            shift = np.asarray(step.mean_, dtype=np.float64)
        if step.scale_ is not None:
            scale = np.asarray(step.scale_, dtype=np.float64)
    try:
        parts = _converted(last)
        if parts is None:
            return None
        scorer = Scorer({**parts, "shift": shift, "scale": scale}, n_features)
        rows = features[:1000]
        expected, converted = estimator_scores(estimator, rows), scorer(rows)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        return None  # another layout than that of the releases this was written for
    return scorer if np.allclose(converted, expected, rtol=1e-6, atol=1e-9) else None


def _converted(last: Any) -> dict[str, Any] | None:
    name = type(last).__name__
    is_probability = hasattr(last, "predict_proba")
    link = "logit" if is_probability else "identity"
    if name in _MODULES and hasattr(last, "coef_") and not hasattr(last, "coefs_"):
        coefficients = np.asarray(last.coef_, dtype=np.float64).reshape(-1)
        intercept = float(np.asarray(last.intercept_).reshape(-1)[0])
        return {
            "kind": "linear",
            "coefficients": coefficients,
            "intercept": intercept,
            "link": link,
        }
    if name.startswith("MLP"):
        layers = {
            f"weights_{i}": np.asarray(w, dtype=np.float64) for i, w in enumerate(last.coefs_)
        }
        layers |= {
            f"bias_{i}": np.asarray(b, dtype=np.float64) for i, b in enumerate(last.intercepts_)
        }
        return {
            "kind": "network",
            "n_layers": len(last.coefs_),
            "activation": last.activation,
            "link": link,
            **layers,
        }
    if name.startswith("HistGradientBoosting"):
        trees = [_histogram_nodes(stage[0].nodes) for stage in last._predictors]
        start = float(np.asarray(last._baseline_prediction).reshape(-1)[0])
        return _forest(trees, start, 1.0, link, is_single=False)
    if name.startswith("GradientBoosting"):
        rate = last.learning_rate
        trees = [_nodes(stage[0].tree_, rate, False) for stage in last.estimators_]
        # What the raw prediction begins with: that of a row, less what the trees say of it.
        row = np.zeros((1, last.n_features_in_))
        raw = last.decision_function(row) if is_probability else last.predict(row)
        bare = Scorer(
            {
                **_forest(trees, 0.0, 1.0, "identity"),
                "shift": np.zeros(row.shape[1]),
                "scale": np.ones(row.shape[1]),
            },
            row.shape[1],
        )
        return _forest(trees, float(np.ravel(raw)[0] - bare(row)[0]), 1.0, link)
    if name.startswith(("RandomForest", "ExtraTrees", "DecisionTree")):
        members = getattr(last, "estimators_", [last])
        trees = [_nodes(tree.tree_, 1.0, is_probability) for tree in members]
        return _forest(trees, 0.0, float(len(trees)), "identity")
    return None


def _nodes(tree: Any, rate: float, is_class: bool) -> dict[str, NDArray[Any]]:
    values = np.asarray(tree.value, dtype=np.float64)[:, 0, :]
    value = values[:, 1] / values.sum(axis=1) if is_class else values[:, 0]
    is_leaf = tree.children_left < 0
    return {
        "feature": np.where(is_leaf, -1, tree.feature).astype(np.int64),
        "threshold": np.asarray(tree.threshold, dtype=np.float64),
        "left": np.asarray(tree.children_left, dtype=np.int64),
        "right": np.asarray(tree.children_right, dtype=np.int64),
        "value": rate * value,
    }


def _histogram_nodes(nodes: Any) -> dict[str, NDArray[Any]]:
    if nodes["is_categorical"].any():
        raise ValueError("categorical splits are not converted")
    is_leaf = nodes["is_leaf"].astype(bool)
    return {
        "feature": np.where(is_leaf, -1, nodes["feature_idx"].astype(np.int64)),
        "threshold": np.where(is_leaf, 0.0, nodes["num_threshold"]).astype(np.float64),
        "left": nodes["left"].astype(np.int64),
        "right": nodes["right"].astype(np.int64),
        "value": np.asarray(nodes["value"], dtype=np.float64),
    }


def _forest(
    trees: list[dict[str, NDArray[Any]]],
    start: float,
    divisor: float,
    link: str,
    is_single: bool = True,
) -> dict[str, Any]:
    sizes = np.array([len(tree["feature"]) for tree in trees], dtype=np.int64)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    columns: dict[str, Any] = {}
    for name in ("feature", "threshold", "left", "right", "value"):
        parts = [tree[name] for tree in trees]
        if name in ("left", "right"):
            parts = [part + root for part, root in zip(parts, roots.tolist(), strict=True)]
        columns[name] = np.concatenate(parts)
    return {
        "kind": "trees",
        "roots": roots,
        "intercept": start,
        "divisor": divisor,
        "link": link,
        "is_single": is_single,
        **columns,
    }
