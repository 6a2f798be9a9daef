"""The native kernels; the only module that imports the compiled extension ``aimass_core._core``.

Each function here is one C++ kernel with typed arrays in and out. The function of the same name in
`aimass_core.reference` defines its result.
"""

from __future__ import annotations

try:
    from .._core import (
        als_gramian,
        als_loss,
        als_solve,
        coo_to_csr,
        csr_check,
        csr_transpose,
        embedding_moves,
        embedding_sums,
        factorize_bytes,
        factorize_int64,
        field_aware_epoch,
        field_aware_scores,
        fm_design_sweep,
        fm_relation_sweep,
        force_isa,
        gmm_em_step,
        gmm_score,
        gram_matrix,
        gram_topk,
        implicit_rating_epoch,
        isa,
        isa_available,
        knn_predict,
        list_gains,
        listwise_epoch,
        pairwise_epoch,
        rating_epoch,
        resampled_sums,
        resampling_weights,
        reverse_topk,
        ridge_lists,
        score_topk,
        slim_dense,
        slim_sparse,
        slope_one_predict,
        spd_inverse,
        spgemm_topk,
        spmm_topk,
        standard_normal,
        symmetric_update,
    )
except ImportError as error:  # a source folder without the compiled extension, or a broken one
    raise ImportError(
        "aimass_core has no compiled extension for this Python "
        f"({error}). In a source checkout run 'make demo' or 'pip install -e .' first; elsewhere "
        "reinstall the package with 'pip install --force-reinstall aimass_core'"
    ) from error


__all__ = [
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
