"""One plain function per kernel, same name and arguments: the specification."""

from __future__ import annotations

from .als_gramian import als_gramian
from .als_loss import als_loss
from .als_solve import als_solve
from .assign_greedy import assign_greedy
from .baseline_sgd import baseline_sgd
from .coo_to_csr import coo_to_csr
from .csr_check import csr_check
from .csr_transpose import csr_transpose
from .embedding_moves import embedding_moves
from .embedding_sums import embedding_sums
from .factorize_bytes import factorize_bytes
from .factorize_int64 import factorize_int64
from .field_aware_epoch import field_aware_epoch
from .field_aware_scores import field_aware_scores
from .fm_design_sweep import fm_design_sweep
from .fm_relation_sweep import fm_relation_sweep
from .gmm_em_step import gmm_em_step
from .gmm_score import gmm_score
from .gram_matrix import gram_matrix
from .gram_topk import gram_topk
from .implicit_rating_epoch import implicit_rating_epoch
from .knn_predict import knn_predict
from .list_gains import list_gains
from .listwise_epoch import listwise_epoch
from .nested_topk import nested_topk
from .pairwise_epoch import pairwise_epoch
from .rating_epoch import rating_epoch
from .rating_nmf_epoch import rating_nmf_epoch
from .resampled_sums import resampled_sums
from .resampling_weights import resampling_weights
from .reverse_topk import reverse_topk
from .ridge_lists import ridge_lists
from .score_topk import score_topk
from .slim_dense import slim_dense
from .slim_sparse import slim_sparse
from .slope_one_predict import slope_one_predict
from .spd_inverse import spd_inverse
from .spgemm_topk import spgemm_topk
from .spmm_topk import spmm_topk
from .standard_normal import standard_normal
from .symmetric_update import symmetric_update

__all__ = [
    "als_gramian",
    "als_loss",
    "als_solve",
    "assign_greedy",
    "baseline_sgd",
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
    "gmm_em_step",
    "gmm_score",
    "gram_matrix",
    "gram_topk",
    "implicit_rating_epoch",
    "knn_predict",
    "list_gains",
    "listwise_epoch",
    "nested_topk",
    "pairwise_epoch",
    "rating_epoch",
    "rating_nmf_epoch",
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
