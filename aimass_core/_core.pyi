"""
Native kernels of aimass_core. Private: call them through the package.
"""

from __future__ import annotations

import typing

import numpy
import numpy.typing

__all__: list[str] = [
    "als_gramian",
    "als_loss",
    "als_solve",
    "coo_to_csr",
    "csr_check",
    "csr_transpose",
    "embedding_moves",
    "embedding_sums",
    "factorize_bytes",
    "factorize_int64",
    "field_aware_epoch",
    "field_aware_scores",
    "fm_design_sweep",
    "fm_relation_sweep",
    "force_isa",
    "gmm_em_step",
    "gmm_score",
    "gram_matrix",
    "gram_topk",
    "implicit_rating_epoch",
    "isa",
    "isa_available",
    "knn_predict",
    "list_gains",
    "listwise_epoch",
    "pairwise_epoch",
    "rating_epoch",
    "resampled_sums",
    "resampling_weights",
    "reverse_topk",
    "ridge_lists",
    "score_topk",
    "slim_dense",
    "slim_sparse",
    "slope_one_predict",
    "spd_inverse",
    "spgemm_topk",
    "spmm_topk",
    "standard_normal",
    "symmetric_update",
]

@typing.overload
def als_gramian(
    factors: numpy.typing.NDArray[numpy.float32],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    factors' factors in float64.
    """

@typing.overload
def als_gramian(
    factors: numpy.typing.NDArray[numpy.float64],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    factors' factors in float64.
    """

@typing.overload
def als_loss(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    row_factors: numpy.typing.NDArray[numpy.float32],
    factors: numpy.typing.NDArray[numpy.float32],
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    weight_shift: typing.SupportsFloat | typing.SupportsIndex,
    target_shift: typing.SupportsFloat | typing.SupportsIndex,
    preferences: bool,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> float:
    """
    What the stored entries add to the loss.
    """

@typing.overload
def als_loss(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    row_factors: numpy.typing.NDArray[numpy.float64],
    factors: numpy.typing.NDArray[numpy.float64],
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    weight_shift: typing.SupportsFloat | typing.SupportsIndex,
    target_shift: typing.SupportsFloat | typing.SupportsIndex,
    preferences: bool,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> float:
    """
    What the stored entries add to the loss.
    """

@typing.overload
def als_solve(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    factors: numpy.typing.NDArray[numpy.float32],
    gramian: numpy.typing.NDArray[numpy.float64],
    start: numpy.typing.NDArray[numpy.float32],
    ridge: numpy.typing.NDArray[numpy.float64],
    linear: numpy.typing.NDArray[numpy.float32],
    common_ridge: typing.SupportsFloat | typing.SupportsIndex,
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    weight_shift: typing.SupportsFloat | typing.SupportsIndex,
    target_shift: typing.SupportsFloat | typing.SupportsIndex,
    preferences: bool,
    solver: str,
    n_steps: typing.SupportsInt | typing.SupportsIndex,
    block_size: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    Factors of every row, the other side's being fixed: one half-step of least squares.
    """

@typing.overload
def als_solve(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    factors: numpy.typing.NDArray[numpy.float64],
    gramian: numpy.typing.NDArray[numpy.float64],
    start: numpy.typing.NDArray[numpy.float64],
    ridge: numpy.typing.NDArray[numpy.float64],
    linear: numpy.typing.NDArray[numpy.float64],
    common_ridge: typing.SupportsFloat | typing.SupportsIndex,
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    weight_shift: typing.SupportsFloat | typing.SupportsIndex,
    target_shift: typing.SupportsFloat | typing.SupportsIndex,
    preferences: bool,
    solver: str,
    n_steps: typing.SupportsInt | typing.SupportsIndex,
    block_size: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Factors of every row, the other side's being fixed: one half-step of least squares.
    """

@typing.overload
def coo_to_csr(
    rows: numpy.typing.NDArray[numpy.int32],
    cols: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    times: numpy.typing.NDArray[numpy.int64] | None,
    n_rows: typing.SupportsInt | typing.SupportsIndex,
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    duplicates: str,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float32],
    typing.Any,
]:
    """
    Triplets to canonical CSR: (indptr, indices, data, times).
    """

@typing.overload
def coo_to_csr(
    rows: numpy.typing.NDArray[numpy.int32],
    cols: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    times: numpy.typing.NDArray[numpy.int64] | None,
    n_rows: typing.SupportsInt | typing.SupportsIndex,
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    duplicates: str,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
    typing.Any,
]:
    """
    Triplets to canonical CSR: (indptr, indices, data, times).
    """

@typing.overload
def csr_check(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex = 1,
) -> tuple[int, int, bool, bool]:
    """
    Status of a CSR triple: (status, position, is_sorted, has_duplicates).
    """

@typing.overload
def csr_check(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex = 1,
) -> tuple[int, int, bool, bool]:
    """
    Status of a CSR triple: (status, position, is_sorted, has_duplicates).
    """

@typing.overload
def csr_transpose(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float32],
]:
    """
    CSR of the transpose: (indptr, indices, data).
    """

@typing.overload
def csr_transpose(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
]:
    """
    CSR of the transpose: (indptr, indices, data).
    """

@typing.overload
def embedding_moves(
    embeddings: tuple[
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
    ],
    transposed: tuple[
        numpy.typing.NDArray[numpy.int64],
        numpy.typing.NDArray[numpy.int32],
        numpy.typing.NDArray[numpy.float32],
    ],
    rows: numpy.typing.NDArray[numpy.int32],
    factors: numpy.typing.NDArray[numpy.float32],
    accumulators: numpy.typing.NDArray[numpy.float32],
    factors_before: numpy.typing.NDArray[numpy.float32],
    accumulators_before: numpy.typing.NDArray[numpy.float32],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Give embeddings the moves of their rows; the arrays of embeddings, factors and accumulators are changed.
    """

@typing.overload
def embedding_moves(
    embeddings: tuple[
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
    ],
    transposed: tuple[
        numpy.typing.NDArray[numpy.int64],
        numpy.typing.NDArray[numpy.int32],
        numpy.typing.NDArray[numpy.float64],
    ],
    rows: numpy.typing.NDArray[numpy.int32],
    factors: numpy.typing.NDArray[numpy.float64],
    accumulators: numpy.typing.NDArray[numpy.float64],
    factors_before: numpy.typing.NDArray[numpy.float64],
    accumulators_before: numpy.typing.NDArray[numpy.float64],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Give embeddings the moves of their rows; the arrays of embeddings, factors and accumulators are changed.
    """

@typing.overload
def embedding_sums(
    embeddings: tuple[
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
    ],
    weights: tuple[
        numpy.typing.NDArray[numpy.int64],
        numpy.typing.NDArray[numpy.int32],
        numpy.typing.NDArray[numpy.float32],
    ],
    rows: numpy.typing.NDArray[numpy.int32],
    factors: numpy.typing.NDArray[numpy.float32],
    accumulators: numpy.typing.NDArray[numpy.float32],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Factors of rows that are sums of embeddings, and their accumulators; both are written.
    """

@typing.overload
def embedding_sums(
    embeddings: tuple[
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
    ],
    weights: tuple[
        numpy.typing.NDArray[numpy.int64],
        numpy.typing.NDArray[numpy.int32],
        numpy.typing.NDArray[numpy.float64],
    ],
    rows: numpy.typing.NDArray[numpy.int32],
    factors: numpy.typing.NDArray[numpy.float64],
    accumulators: numpy.typing.NDArray[numpy.float64],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Factors of rows that are sums of embeddings, and their accumulators; both are written.
    """

@typing.overload
def factorize_bytes(
    offsets: numpy.typing.NDArray[numpy.int64],
    data: numpy.typing.NDArray[numpy.uint8],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.int64]]:
    """
    Codes of strings in bytewise order, and the first row of each: (codes, first).
    """

@typing.overload
def factorize_bytes(
    offsets: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.uint8],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.int64]]:
    """
    Codes of strings in bytewise order, and the first row of each: (codes, first).
    """

def factorize_int64(
    values: numpy.typing.NDArray[numpy.int64], n_threads: typing.SupportsInt | typing.SupportsIndex
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.int64]]:
    """
    Codes of integers in ascending order, and the distinct values: (codes, uniques).
    """

def field_aware_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    fields: numpy.typing.NDArray[numpy.int32],
    order: numpy.typing.NDArray[numpy.int64],
    targets: numpy.typing.NDArray[numpy.float64],
    weights: numpy.typing.NDArray[numpy.float64],
    intercept: numpy.typing.NDArray[numpy.float64],
    linear: numpy.typing.NDArray[numpy.float64],
    factors: numpy.typing.NDArray[numpy.float64],
    n_fields: typing.SupportsInt | typing.SupportsIndex,
    learning_rate: typing.SupportsFloat | typing.SupportsIndex,
    regularization: typing.SupportsFloat | typing.SupportsIndex,
    is_logistic: bool,
) -> float:
    """
    Make one step of gradient descent for each row of order; return the sum of the losses.
    """

def field_aware_scores(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    fields: numpy.typing.NDArray[numpy.int32],
    intercept: typing.SupportsFloat | typing.SupportsIndex,
    linear: numpy.typing.NDArray[numpy.float32],
    factors: numpy.typing.NDArray[numpy.float32],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Return the prediction of each row by a field-aware factorization machine.
    """

@typing.overload
def fm_design_sweep(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    runs: numpy.typing.NDArray[numpy.int64],
    groups: numpy.typing.NDArray[numpy.int32],
    coefficients: numpy.typing.NDArray[numpy.float64],
    prior: tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]],
    noise: numpy.typing.NDArray[numpy.float64],
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    weights: numpy.typing.NDArray[numpy.float32],
    sums: numpy.typing.NDArray[numpy.float32],
    errors: numpy.typing.NDArray[numpy.float32],
    block_width: typing.SupportsInt | typing.SupportsIndex,
    n_factors: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Draw the coefficients of a design matrix once; coefficients, sums and errors are changed.
    """

@typing.overload
def fm_design_sweep(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    runs: numpy.typing.NDArray[numpy.int64],
    groups: numpy.typing.NDArray[numpy.int32],
    coefficients: numpy.typing.NDArray[numpy.float64],
    prior: tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]],
    noise: numpy.typing.NDArray[numpy.float64],
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    weights: numpy.typing.NDArray[numpy.float64],
    sums: numpy.typing.NDArray[numpy.float64],
    errors: numpy.typing.NDArray[numpy.float64],
    block_width: typing.SupportsInt | typing.SupportsIndex,
    n_factors: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Draw the coefficients of a design matrix once; coefficients, sums and errors are changed.
    """

@typing.overload
def fm_relation_sweep(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    runs: numpy.typing.NDArray[numpy.int64],
    groups: numpy.typing.NDArray[numpy.int32],
    coefficients: numpy.typing.NDArray[numpy.float64],
    prior: tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]],
    noise: numpy.typing.NDArray[numpy.float64],
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    weights: numpy.typing.NDArray[numpy.float32],
    sums: numpy.typing.NDArray[numpy.float32],
    errors: numpy.typing.NDArray[numpy.float32],
    case_indptr: numpy.typing.NDArray[numpy.int64],
    case_indices: numpy.typing.NDArray[numpy.int32],
    others: list[tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int32]]],
    block_width: typing.SupportsInt | typing.SupportsIndex,
    n_factors: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Draw the coefficients of a relation once; coefficients, sums and errors are changed.
    """

@typing.overload
def fm_relation_sweep(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    runs: numpy.typing.NDArray[numpy.int64],
    groups: numpy.typing.NDArray[numpy.int32],
    coefficients: numpy.typing.NDArray[numpy.float64],
    prior: tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]],
    noise: numpy.typing.NDArray[numpy.float64],
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    weights: numpy.typing.NDArray[numpy.float64],
    sums: numpy.typing.NDArray[numpy.float64],
    errors: numpy.typing.NDArray[numpy.float64],
    case_indptr: numpy.typing.NDArray[numpy.int64],
    case_indices: numpy.typing.NDArray[numpy.int32],
    others: list[tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.int32]]],
    block_width: typing.SupportsInt | typing.SupportsIndex,
    n_factors: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Draw the coefficients of a relation once; coefficients, sums and errors are changed.
    """

def force_isa(level: str) -> None:
    """
    Switch to another level for tests; not to be called while a kernel runs.
    """

@typing.overload
def gmm_em_step(
    X: numpy.typing.NDArray[numpy.float32],
    shift: numpy.typing.NDArray[numpy.float64],
    scale: numpy.typing.NDArray[numpy.float64],
    sample_weight: numpy.typing.NDArray[numpy.float64] | None,
    coefficients: numpy.typing.NDArray[numpy.float64] | None,
    resp: numpy.typing.NDArray[numpy.float64] | None,
    score_form: str,
    sums_form: str,
    hard: bool,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.float64], float]:
    """
    Sums of the features weighted by responsibilities, and the sum of the scores.
    """

@typing.overload
def gmm_em_step(
    X: numpy.typing.NDArray[numpy.float64],
    shift: numpy.typing.NDArray[numpy.float64],
    scale: numpy.typing.NDArray[numpy.float64],
    sample_weight: numpy.typing.NDArray[numpy.float64] | None,
    coefficients: numpy.typing.NDArray[numpy.float64] | None,
    resp: numpy.typing.NDArray[numpy.float64] | None,
    score_form: str,
    sums_form: str,
    hard: bool,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.float64], float]:
    """
    Sums of the features weighted by responsibilities, and the sum of the scores.
    """

@typing.overload
def gmm_score(
    X: numpy.typing.NDArray[numpy.float32],
    shift: numpy.typing.NDArray[numpy.float64],
    scale: numpy.typing.NDArray[numpy.float64],
    coefficients: numpy.typing.NDArray[numpy.float64],
    common: numpy.typing.NDArray[numpy.float64] | None,
    score_form: str,
    output: str,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> typing.Any:
    """
    Labels, log-densities or responsibilities of rows.
    """

@typing.overload
def gmm_score(
    X: numpy.typing.NDArray[numpy.float64],
    shift: numpy.typing.NDArray[numpy.float64],
    scale: numpy.typing.NDArray[numpy.float64],
    coefficients: numpy.typing.NDArray[numpy.float64],
    common: numpy.typing.NDArray[numpy.float64] | None,
    score_form: str,
    output: str,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> typing.Any:
    """
    Labels, log-densities or responsibilities of rows.
    """

@typing.overload
def gram_matrix(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    X'X of a CSR matrix as a dense symmetric matrix.
    """

@typing.overload
def gram_matrix(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    X'X of a CSR matrix as a dense symmetric matrix.
    """

@typing.overload
def gram_topk(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    k: typing.SupportsInt | typing.SupportsIndex,
    row_scale: numpy.typing.NDArray[numpy.float32] | None,
    col_scale: numpy.typing.NDArray[numpy.float32] | None,
    formula: str,
    p: numpy.typing.NDArray[numpy.float32] | None,
    q: numpy.typing.NDArray[numpy.float32] | None,
    total: typing.SupportsFloat | typing.SupportsIndex,
    weight: tuple[
        typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
    ],
    shrink: typing.SupportsFloat | typing.SupportsIndex,
    min_support: typing.SupportsInt | typing.SupportsIndex,
    support_shrink: typing.SupportsFloat | typing.SupportsIndex,
    support_offset: typing.SupportsFloat | typing.SupportsIndex,
    significance: typing.SupportsFloat | typing.SupportsIndex,
    amplification: typing.SupportsFloat | typing.SupportsIndex,
    threshold: typing.SupportsFloat | typing.SupportsIndex,
    function: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float32],
]:
    """
    The k best other columns of every column of a CSR matrix: (indptr, indices, scores).
    """

@typing.overload
def gram_topk(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    k: typing.SupportsInt | typing.SupportsIndex,
    row_scale: numpy.typing.NDArray[numpy.float64] | None,
    col_scale: numpy.typing.NDArray[numpy.float64] | None,
    formula: str,
    p: numpy.typing.NDArray[numpy.float64] | None,
    q: numpy.typing.NDArray[numpy.float64] | None,
    total: typing.SupportsFloat | typing.SupportsIndex,
    weight: tuple[
        typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
    ],
    shrink: typing.SupportsFloat | typing.SupportsIndex,
    min_support: typing.SupportsInt | typing.SupportsIndex,
    support_shrink: typing.SupportsFloat | typing.SupportsIndex,
    support_offset: typing.SupportsFloat | typing.SupportsIndex,
    significance: typing.SupportsFloat | typing.SupportsIndex,
    amplification: typing.SupportsFloat | typing.SupportsIndex,
    threshold: typing.SupportsFloat | typing.SupportsIndex,
    function: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
]:
    """
    The k best other columns of every column of a CSR matrix: (indptr, indices, scores).
    """

@typing.overload
def implicit_rating_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    user_factors: numpy.typing.NDArray[numpy.float32],
    item_factors: numpy.typing.NDArray[numpy.float32],
    implicit_factors: numpy.typing.NDArray[numpy.float32],
    residual_factors: numpy.typing.NDArray[numpy.float32],
    user_biases: numpy.typing.NDArray[numpy.float32],
    item_biases: numpy.typing.NDArray[numpy.float32],
    mean: typing.SupportsFloat | typing.SupportsIndex,
    rates: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> float:
    """
    One epoch of SVD++ or asymmetric SVD; factors and biases are changed.
    """

@typing.overload
def implicit_rating_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    user_factors: numpy.typing.NDArray[numpy.float64],
    item_factors: numpy.typing.NDArray[numpy.float64],
    implicit_factors: numpy.typing.NDArray[numpy.float64],
    residual_factors: numpy.typing.NDArray[numpy.float64],
    user_biases: numpy.typing.NDArray[numpy.float64],
    item_biases: numpy.typing.NDArray[numpy.float64],
    mean: typing.SupportsFloat | typing.SupportsIndex,
    rates: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> float:
    """
    One epoch of SVD++ or asymmetric SVD; factors and biases are changed.
    """

def isa() -> str:
    """
    ISA level in use: 'baseline', 'v3' or 'v4'.
    """

def isa_available() -> list[str]:
    """
    ISA levels this machine can run.
    """

@typing.overload
def knn_predict(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    t_indptr: numpy.typing.NDArray[numpy.int64],
    t_indices: numpy.typing.NDArray[numpy.int32],
    t_data: numpy.typing.NDArray[numpy.float32],
    s_indptr: numpy.typing.NDArray[numpy.int64],
    s_indices: numpy.typing.NDArray[numpy.int32],
    s_data: numpy.typing.NDArray[numpy.float32],
    st_indptr: numpy.typing.NDArray[numpy.int64],
    st_indices: numpy.typing.NDArray[numpy.int32],
    st_data: numpy.typing.NDArray[numpy.float32],
    query_entity: numpy.typing.NDArray[numpy.int32],
    query_other: numpy.typing.NDArray[numpy.int32],
    k: typing.SupportsInt | typing.SupportsIndex,
    min_k: typing.SupportsInt | typing.SupportsIndex,
    positive_only: bool,
    formula: str,
    p: numpy.typing.NDArray[numpy.float32] | None,
    q: numpy.typing.NDArray[numpy.float32] | None,
    total: typing.SupportsFloat | typing.SupportsIndex,
    weight: tuple[
        typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
    ],
    shrink: typing.SupportsFloat | typing.SupportsIndex,
    min_support: typing.SupportsInt | typing.SupportsIndex,
    support_shrink: typing.SupportsFloat | typing.SupportsIndex,
    support_offset: typing.SupportsFloat | typing.SupportsIndex,
    significance: typing.SupportsFloat | typing.SupportsIndex,
    amplification: typing.SupportsFloat | typing.SupportsIndex,
    threshold: typing.SupportsFloat | typing.SupportsIndex,
    function: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[
    numpy.typing.NDArray[numpy.float32],
    numpy.typing.NDArray[numpy.float32],
    numpy.typing.NDArray[numpy.int32],
]:
    """
    Sums over the k nearest neighbours of each query: (sum_weighted, sum_abs, n_used).
    """

@typing.overload
def knn_predict(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    t_indptr: numpy.typing.NDArray[numpy.int64],
    t_indices: numpy.typing.NDArray[numpy.int32],
    t_data: numpy.typing.NDArray[numpy.float64],
    s_indptr: numpy.typing.NDArray[numpy.int64],
    s_indices: numpy.typing.NDArray[numpy.int32],
    s_data: numpy.typing.NDArray[numpy.float64],
    st_indptr: numpy.typing.NDArray[numpy.int64],
    st_indices: numpy.typing.NDArray[numpy.int32],
    st_data: numpy.typing.NDArray[numpy.float64],
    query_entity: numpy.typing.NDArray[numpy.int32],
    query_other: numpy.typing.NDArray[numpy.int32],
    k: typing.SupportsInt | typing.SupportsIndex,
    min_k: typing.SupportsInt | typing.SupportsIndex,
    positive_only: bool,
    formula: str,
    p: numpy.typing.NDArray[numpy.float64] | None,
    q: numpy.typing.NDArray[numpy.float64] | None,
    total: typing.SupportsFloat | typing.SupportsIndex,
    weight: tuple[
        typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
    ],
    shrink: typing.SupportsFloat | typing.SupportsIndex,
    min_support: typing.SupportsInt | typing.SupportsIndex,
    support_shrink: typing.SupportsFloat | typing.SupportsIndex,
    support_offset: typing.SupportsFloat | typing.SupportsIndex,
    significance: typing.SupportsFloat | typing.SupportsIndex,
    amplification: typing.SupportsFloat | typing.SupportsIndex,
    threshold: typing.SupportsFloat | typing.SupportsIndex,
    function: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[
    numpy.typing.NDArray[numpy.float64],
    numpy.typing.NDArray[numpy.float64],
    numpy.typing.NDArray[numpy.int32],
]:
    """
    Sums over the k nearest neighbours of each query: (sum_weighted, sum_abs, n_used).
    """

@typing.overload
def list_gains(
    lists: numpy.typing.NDArray[numpy.int64],
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Relevance of the item at each rank of each list.
    """

@typing.overload
def list_gains(
    lists: numpy.typing.NDArray[numpy.int64],
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Relevance of the item at each rank of each list.
    """

@typing.overload
def listwise_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    users: tuple[
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.int32],
    ],
    items: tuple[
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.int32],
    ],
    steps: tuple[
        str,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    weights: numpy.typing.NDArray[numpy.float64],
    loss: str,
    cosine: bool,
    n_negatives: typing.SupportsInt | typing.SupportsIndex,
    temperature: typing.SupportsFloat | typing.SupportsIndex,
    margin: typing.SupportsFloat | typing.SupportsIndex,
    negative_weight: typing.SupportsFloat | typing.SupportsIndex,
    n_strata: typing.SupportsInt | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[float, int, int, int]:
    """
    One epoch of a ranking loss over lists; the arrays of users and items are changed.
    """

@typing.overload
def listwise_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    users: tuple[
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.int32],
    ],
    items: tuple[
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.int32],
    ],
    steps: tuple[
        str,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    weights: numpy.typing.NDArray[numpy.float64],
    loss: str,
    cosine: bool,
    n_negatives: typing.SupportsInt | typing.SupportsIndex,
    temperature: typing.SupportsFloat | typing.SupportsIndex,
    margin: typing.SupportsFloat | typing.SupportsIndex,
    negative_weight: typing.SupportsFloat | typing.SupportsIndex,
    n_strata: typing.SupportsInt | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[float, int, int, int]:
    """
    One epoch of a ranking loss over lists; the arrays of users and items are changed.
    """

@typing.overload
def pairwise_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    users: tuple[
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.int32],
    ],
    items: tuple[
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.float32],
        numpy.typing.NDArray[numpy.int32],
    ],
    steps: tuple[
        str,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    weights: numpy.typing.NDArray[numpy.float64],
    loss: str,
    n_candidates: typing.SupportsInt | typing.SupportsIndex,
    n_positives: typing.SupportsInt | typing.SupportsIndex,
    k_positive: typing.SupportsInt | typing.SupportsIndex,
    margin: typing.SupportsFloat | typing.SupportsIndex,
    n_strata: typing.SupportsInt | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[float, int, int, int]:
    """
    One epoch of a pairwise ranking loss; the arrays of users and items are changed.
    """

@typing.overload
def pairwise_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    users: tuple[
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.int32],
    ],
    items: tuple[
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.float64],
        numpy.typing.NDArray[numpy.int32],
    ],
    steps: tuple[
        str,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    weights: numpy.typing.NDArray[numpy.float64],
    loss: str,
    n_candidates: typing.SupportsInt | typing.SupportsIndex,
    n_positives: typing.SupportsInt | typing.SupportsIndex,
    k_positive: typing.SupportsInt | typing.SupportsIndex,
    margin: typing.SupportsFloat | typing.SupportsIndex,
    n_strata: typing.SupportsInt | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[float, int, int, int]:
    """
    One epoch of a pairwise ranking loss; the arrays of users and items are changed.
    """

@typing.overload
def rating_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    user_factors: numpy.typing.NDArray[numpy.float32],
    item_factors: numpy.typing.NDArray[numpy.float32],
    user_biases: numpy.typing.NDArray[numpy.float32],
    item_biases: numpy.typing.NDArray[numpy.float32],
    mean: typing.SupportsFloat | typing.SupportsIndex,
    rates: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    order: str,
    n_strata: typing.SupportsInt | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> float:
    """
    One epoch of biased matrix factorisation; factors and biases are changed.
    """

@typing.overload
def rating_epoch(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    user_factors: numpy.typing.NDArray[numpy.float64],
    item_factors: numpy.typing.NDArray[numpy.float64],
    user_biases: numpy.typing.NDArray[numpy.float64],
    item_biases: numpy.typing.NDArray[numpy.float64],
    mean: typing.SupportsFloat | typing.SupportsIndex,
    rates: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    penalties: tuple[
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
        typing.SupportsFloat | typing.SupportsIndex,
    ],
    order: str,
    n_strata: typing.SupportsInt | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    epoch: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> float:
    """
    One epoch of biased matrix factorisation; factors and biases are changed.
    """

def resampled_sums(
    columns: numpy.typing.NDArray[numpy.float64],
    seed: typing.SupportsInt | typing.SupportsIndex,
    first_replicate: typing.SupportsInt | typing.SupportsIndex,
    n_replicates: typing.SupportsInt | typing.SupportsIndex,
    law: str,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Weighted sums of columns under the random row weights of each replicate.
    """

def resampling_weights(
    n_rows: typing.SupportsInt | typing.SupportsIndex,
    seed: typing.SupportsInt | typing.SupportsIndex,
    first_replicate: typing.SupportsInt | typing.SupportsIndex,
    n_replicates: typing.SupportsInt | typing.SupportsIndex,
    law: str,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> numpy.typing.NDArray[numpy.int16]:
    """
    The random row weights of each replicate.
    """

@typing.overload
def reverse_topk(
    queries: numpy.typing.NDArray[numpy.float32],
    biases: numpy.typing.NDArray[numpy.float32],
    items: numpy.typing.NDArray[numpy.int32],
    panels: numpy.typing.NDArray[numpy.float32],
    order: numpy.typing.NDArray[numpy.int32],
    thresholds: numpy.typing.NDArray[numpy.float32],
    ties: numpy.typing.NDArray[numpy.int32],
    limits: numpy.typing.NDArray[numpy.float64],
    n_users: typing.SupportsInt | typing.SupportsIndex,
    exclude_indptr: numpy.typing.NDArray[numpy.int64] | None,
    exclude_indices: numpy.typing.NDArray[numpy.int32] | None,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float32],
]:
    """
    The users whose thresholds an item reaches: (indptr, users, scores), best first.
    """

@typing.overload
def reverse_topk(
    queries: numpy.typing.NDArray[numpy.float64],
    biases: numpy.typing.NDArray[numpy.float64],
    items: numpy.typing.NDArray[numpy.int32],
    panels: numpy.typing.NDArray[numpy.float64],
    order: numpy.typing.NDArray[numpy.int32],
    thresholds: numpy.typing.NDArray[numpy.float64],
    ties: numpy.typing.NDArray[numpy.int32],
    limits: numpy.typing.NDArray[numpy.float64],
    n_users: typing.SupportsInt | typing.SupportsIndex,
    exclude_indptr: numpy.typing.NDArray[numpy.int64] | None,
    exclude_indices: numpy.typing.NDArray[numpy.int32] | None,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
]:
    """
    The users whose thresholds an item reaches: (indptr, users, scores), best first.
    """

@typing.overload
def ridge_lists(
    t_indptr: numpy.typing.NDArray[numpy.int64],
    t_indices: numpy.typing.NDArray[numpy.int32],
    t_data: numpy.typing.NDArray[numpy.float32],
    n_users: typing.SupportsInt | typing.SupportsIndex,
    gramian: numpy.typing.NDArray[numpy.float32] | None,
    ridge: numpy.typing.NDArray[numpy.float64],
    targets: numpy.typing.NDArray[numpy.int32],
    lists_indptr: numpy.typing.NDArray[numpy.int64],
    lists_indices: numpy.typing.NDArray[numpy.int32],
    k: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float32]:
    """
    Ridge regression of target items on k items out of lists: the weights, in the order of the lists.
    """

@typing.overload
def ridge_lists(
    t_indptr: numpy.typing.NDArray[numpy.int64],
    t_indices: numpy.typing.NDArray[numpy.int32],
    t_data: numpy.typing.NDArray[numpy.float64],
    n_users: typing.SupportsInt | typing.SupportsIndex,
    gramian: numpy.typing.NDArray[numpy.float64] | None,
    ridge: numpy.typing.NDArray[numpy.float64],
    targets: numpy.typing.NDArray[numpy.int32],
    lists_indptr: numpy.typing.NDArray[numpy.int64],
    lists_indices: numpy.typing.NDArray[numpy.int32],
    k: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Ridge regression of target items on k items out of lists: the weights, in the order of the lists.
    """

@typing.overload
def score_topk(
    queries: numpy.typing.NDArray[numpy.float32],
    panels: numpy.typing.NDArray[numpy.float32],
    biases: numpy.typing.NDArray[numpy.float32],
    order: numpy.typing.NDArray[numpy.int32],
    norms: numpy.typing.NDArray[numpy.float64],
    offsets: numpy.typing.NDArray[numpy.float64],
    codes: numpy.typing.NDArray[numpy.uint8],
    grids: numpy.typing.NDArray[numpy.float64],
    n_items: typing.SupportsInt | typing.SupportsIndex,
    k: typing.SupportsInt | typing.SupportsIndex,
    exclude_indptr: numpy.typing.NDArray[numpy.int64] | None,
    exclude_indices: numpy.typing.NDArray[numpy.int32] | None,
    allow_indptr: numpy.typing.NDArray[numpy.int64] | None,
    allow_indices: numpy.typing.NDArray[numpy.int32] | None,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.float32]]:
    """
    The k best items of every query: (indices, scores), padded (-1, -inf).
    """

@typing.overload
def score_topk(
    queries: numpy.typing.NDArray[numpy.float64],
    panels: numpy.typing.NDArray[numpy.float64],
    biases: numpy.typing.NDArray[numpy.float64],
    order: numpy.typing.NDArray[numpy.int32],
    norms: numpy.typing.NDArray[numpy.float64],
    offsets: numpy.typing.NDArray[numpy.float64],
    codes: numpy.typing.NDArray[numpy.uint8],
    grids: numpy.typing.NDArray[numpy.float64],
    n_items: typing.SupportsInt | typing.SupportsIndex,
    k: typing.SupportsInt | typing.SupportsIndex,
    exclude_indptr: numpy.typing.NDArray[numpy.int64] | None,
    exclude_indices: numpy.typing.NDArray[numpy.int32] | None,
    allow_indptr: numpy.typing.NDArray[numpy.int64] | None,
    allow_indices: numpy.typing.NDArray[numpy.int32] | None,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.float64]]:
    """
    The k best items of every query: (indices, scores), padded (-1, -inf).
    """

@typing.overload
def slim_dense(
    gramian: numpy.typing.NDArray[numpy.float32],
    ridge: numpy.typing.NDArray[numpy.float64],
    targets: numpy.typing.NDArray[numpy.int32],
    candidates_indptr: numpy.typing.NDArray[numpy.int64] | None,
    candidates_indices: numpy.typing.NDArray[numpy.int32] | None,
    start_indptr: numpy.typing.NDArray[numpy.int64] | None,
    start_indices: numpy.typing.NDArray[numpy.int32] | None,
    start_data: numpy.typing.NDArray[numpy.float32] | None,
    l1: typing.SupportsFloat | typing.SupportsIndex,
    nonnegative: bool,
    k: typing.SupportsInt | typing.SupportsIndex,
    tol: typing.SupportsFloat | typing.SupportsIndex,
    max_sweeps: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float32],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
]:
    """
    Elastic-net coefficients of target items by coordinate descent on a dense Gramian: (indptr, indices, data, n_sweeps, violation).
    """

@typing.overload
def slim_dense(
    gramian: numpy.typing.NDArray[numpy.float64],
    ridge: numpy.typing.NDArray[numpy.float64],
    targets: numpy.typing.NDArray[numpy.int32],
    candidates_indptr: numpy.typing.NDArray[numpy.int64] | None,
    candidates_indices: numpy.typing.NDArray[numpy.int32] | None,
    start_indptr: numpy.typing.NDArray[numpy.int64] | None,
    start_indices: numpy.typing.NDArray[numpy.int32] | None,
    start_data: numpy.typing.NDArray[numpy.float64] | None,
    l1: typing.SupportsFloat | typing.SupportsIndex,
    nonnegative: bool,
    k: typing.SupportsInt | typing.SupportsIndex,
    tol: typing.SupportsFloat | typing.SupportsIndex,
    max_sweeps: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
]:
    """
    Elastic-net coefficients of target items by coordinate descent on a dense Gramian: (indptr, indices, data, n_sweeps, violation).
    """

@typing.overload
def slim_sparse(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    t_indptr: numpy.typing.NDArray[numpy.int64],
    t_indices: numpy.typing.NDArray[numpy.int32],
    t_data: numpy.typing.NDArray[numpy.float32],
    ridge: numpy.typing.NDArray[numpy.float64],
    targets: numpy.typing.NDArray[numpy.int32],
    candidates_indptr: numpy.typing.NDArray[numpy.int64] | None,
    candidates_indices: numpy.typing.NDArray[numpy.int32] | None,
    start_indptr: numpy.typing.NDArray[numpy.int64] | None,
    start_indices: numpy.typing.NDArray[numpy.int32] | None,
    start_data: numpy.typing.NDArray[numpy.float32] | None,
    l1: typing.SupportsFloat | typing.SupportsIndex,
    nonnegative: bool,
    k: typing.SupportsInt | typing.SupportsIndex,
    tol: typing.SupportsFloat | typing.SupportsIndex,
    max_sweeps: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float32],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
]:
    """
    Elastic-net coefficients of target items by coordinate descent on a sparse matrix: (indptr, indices, data, n_sweeps, violation).
    """

@typing.overload
def slim_sparse(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    t_indptr: numpy.typing.NDArray[numpy.int64],
    t_indices: numpy.typing.NDArray[numpy.int32],
    t_data: numpy.typing.NDArray[numpy.float64],
    ridge: numpy.typing.NDArray[numpy.float64],
    targets: numpy.typing.NDArray[numpy.int32],
    candidates_indptr: numpy.typing.NDArray[numpy.int64] | None,
    candidates_indices: numpy.typing.NDArray[numpy.int32] | None,
    start_indptr: numpy.typing.NDArray[numpy.int64] | None,
    start_indices: numpy.typing.NDArray[numpy.int32] | None,
    start_data: numpy.typing.NDArray[numpy.float64] | None,
    l1: typing.SupportsFloat | typing.SupportsIndex,
    nonnegative: bool,
    k: typing.SupportsInt | typing.SupportsIndex,
    tol: typing.SupportsFloat | typing.SupportsIndex,
    max_sweeps: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[
    numpy.typing.NDArray[numpy.int64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
    numpy.typing.NDArray[numpy.int32],
    numpy.typing.NDArray[numpy.float64],
]:
    """
    Elastic-net coefficients of target items by coordinate descent on a sparse matrix: (indptr, indices, data, n_sweeps, violation).
    """

@typing.overload
def slope_one_predict(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float32],
    t_indptr: numpy.typing.NDArray[numpy.int64],
    t_indices: numpy.typing.NDArray[numpy.int32],
    t_data: numpy.typing.NDArray[numpy.float32],
    query_user: numpy.typing.NDArray[numpy.int32],
    query_item: numpy.typing.NDArray[numpy.int32],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int32]]:
    """
    Sum of Slope One deviations of each query and their number: (sum_dev, n_used).
    """

@typing.overload
def slope_one_predict(
    indptr: numpy.typing.NDArray[numpy.int64],
    indices: numpy.typing.NDArray[numpy.int32],
    data: numpy.typing.NDArray[numpy.float64],
    t_indptr: numpy.typing.NDArray[numpy.int64],
    t_indices: numpy.typing.NDArray[numpy.int32],
    t_data: numpy.typing.NDArray[numpy.float64],
    query_user: numpy.typing.NDArray[numpy.int32],
    query_item: numpy.typing.NDArray[numpy.int32],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.int32]]:
    """
    Sum of Slope One deviations of each query and their number: (sum_dev, n_used).
    """

@typing.overload
def spd_inverse(
    a: numpy.typing.NDArray[numpy.float32],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> None:
    """
    Invert a symmetric positive definite matrix in place; its lower triangle is read.
    """

@typing.overload
def spd_inverse(
    a: numpy.typing.NDArray[numpy.float64],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> None:
    """
    Invert a symmetric positive definite matrix in place; its lower triangle is read.
    """

@typing.overload
def spgemm_topk(
    x_indptr: numpy.typing.NDArray[numpy.int64],
    x_indices: numpy.typing.NDArray[numpy.int32],
    x_data: numpy.typing.NDArray[numpy.float32],
    y_indptr: numpy.typing.NDArray[numpy.int64],
    y_indices: numpy.typing.NDArray[numpy.int32],
    y_data: numpy.typing.NDArray[numpy.float32],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    k: typing.SupportsInt | typing.SupportsIndex,
    exclude_indptr: numpy.typing.NDArray[numpy.int64] | None,
    exclude_indices: numpy.typing.NDArray[numpy.int32] | None,
    allowed: numpy.typing.NDArray[numpy.uint8] | None,
    formula: str,
    p: numpy.typing.NDArray[numpy.float32] | None,
    q: numpy.typing.NDArray[numpy.float32] | None,
    total: typing.SupportsFloat | typing.SupportsIndex,
    weight: tuple[
        typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
    ],
    shrink: typing.SupportsFloat | typing.SupportsIndex,
    min_support: typing.SupportsInt | typing.SupportsIndex,
    support_shrink: typing.SupportsFloat | typing.SupportsIndex,
    support_offset: typing.SupportsFloat | typing.SupportsIndex,
    significance: typing.SupportsFloat | typing.SupportsIndex,
    amplification: typing.SupportsFloat | typing.SupportsIndex,
    threshold: typing.SupportsFloat | typing.SupportsIndex,
    function: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.float32]]:
    """
    The k best columns of every row of X Y for CSR X, Y: (indices, scores), padded (-1, -inf).
    """

@typing.overload
def spgemm_topk(
    x_indptr: numpy.typing.NDArray[numpy.int64],
    x_indices: numpy.typing.NDArray[numpy.int32],
    x_data: numpy.typing.NDArray[numpy.float64],
    y_indptr: numpy.typing.NDArray[numpy.int64],
    y_indices: numpy.typing.NDArray[numpy.int32],
    y_data: numpy.typing.NDArray[numpy.float64],
    n_cols: typing.SupportsInt | typing.SupportsIndex,
    k: typing.SupportsInt | typing.SupportsIndex,
    exclude_indptr: numpy.typing.NDArray[numpy.int64] | None,
    exclude_indices: numpy.typing.NDArray[numpy.int32] | None,
    allowed: numpy.typing.NDArray[numpy.uint8] | None,
    formula: str,
    p: numpy.typing.NDArray[numpy.float64] | None,
    q: numpy.typing.NDArray[numpy.float64] | None,
    total: typing.SupportsFloat | typing.SupportsIndex,
    weight: tuple[
        typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex
    ],
    shrink: typing.SupportsFloat | typing.SupportsIndex,
    min_support: typing.SupportsInt | typing.SupportsIndex,
    support_shrink: typing.SupportsFloat | typing.SupportsIndex,
    support_offset: typing.SupportsFloat | typing.SupportsIndex,
    significance: typing.SupportsFloat | typing.SupportsIndex,
    amplification: typing.SupportsFloat | typing.SupportsIndex,
    threshold: typing.SupportsFloat | typing.SupportsIndex,
    function: typing.SupportsInt | typing.SupportsIndex,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
    report: typing.Any = None,
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.float64]]:
    """
    The k best columns of every row of X Y for CSR X, Y: (indices, scores), padded (-1, -inf).
    """

@typing.overload
def spmm_topk(
    x_indptr: numpy.typing.NDArray[numpy.int64],
    x_indices: numpy.typing.NDArray[numpy.int32],
    x_data: numpy.typing.NDArray[numpy.float32],
    y: numpy.typing.NDArray[numpy.float32],
    k: typing.SupportsInt | typing.SupportsIndex,
    exclude_indptr: numpy.typing.NDArray[numpy.int64] | None,
    exclude_indices: numpy.typing.NDArray[numpy.int32] | None,
    allowed: numpy.typing.NDArray[numpy.uint8] | None,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.float32]]:
    """
    The k best columns of every row of X Y for a CSR X and a dense Y: (indices, scores), padded (-1, -inf).
    """

@typing.overload
def spmm_topk(
    x_indptr: numpy.typing.NDArray[numpy.int64],
    x_indices: numpy.typing.NDArray[numpy.int32],
    x_data: numpy.typing.NDArray[numpy.float64],
    y: numpy.typing.NDArray[numpy.float64],
    k: typing.SupportsInt | typing.SupportsIndex,
    exclude_indptr: numpy.typing.NDArray[numpy.int64] | None,
    exclude_indices: numpy.typing.NDArray[numpy.int32] | None,
    allowed: numpy.typing.NDArray[numpy.uint8] | None,
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.float64]]:
    """
    The k best columns of every row of X Y for a CSR X and a dense Y: (indices, scores), padded (-1, -inf).
    """

def standard_normal(
    key: typing.SupportsInt | typing.SupportsIndex,
    out: numpy.typing.NDArray[numpy.float64],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Fill an array with standard normal random numbers of a key.
    """

@typing.overload
def symmetric_update(
    a: numpy.typing.NDArray[numpy.float32],
    u: numpy.typing.NDArray[numpy.float32],
    v: numpy.typing.NDArray[numpy.float32],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Add u v' to a symmetric matrix in place; u v' must be symmetric.
    """

@typing.overload
def symmetric_update(
    a: numpy.typing.NDArray[numpy.float64],
    u: numpy.typing.NDArray[numpy.float64],
    v: numpy.typing.NDArray[numpy.float64],
    n_threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Add u v' to a symmetric matrix in place; u v' must be symmetric.
    """
