# %% [markdown]
# # Gowalla: the split of the literature
#
# This notebook compares four models on the split on which NGCF and LightGCN report their results. The data are a million
# check-ins of 29,858 users at 40,981 places. LightGCN reports a Recall@20 of .1830.

# %%
import os

import matplotlib.pyplot as plt

from aimass_core import ImplicitALS, ItemKNN, Popularity, Similarity
from aimass_core.data import split
from aimass_core.evaluation import evaluate

plt.rcParams["figure.dpi"] = 70
path = os.path.join(os.environ["AIMASS_DATA"], "gowalla", "interactions.parquet")
parts = split.by_column(path, column="split", user="user_id", item="item_id")
parts.train

# %% [markdown]
# ## Compare four models, with all places as candidates

# %%
models = {
    "popular": Popularity(),
    "cosine": ItemKNN(n_neighbors=100, similarity="cosine"),
    "RP3beta": ItemKNN(
        n_neighbors=200, similarity=Similarity("rp3beta", alpha=0.7, beta=0.2), neighbors_of="seen"
    ),
    "ALS, 64 factors": ImplicitALS(
        n_factors=64, regularization=0.01, unobserved_weight=0.01, max_iter=8, random_state=0
    ),
}
table = evaluate(models, parts, metrics=["recall", "ndcg", "coverage"], k=20)
table.to_pandas().drop(columns=["fit_s", "recommend_s"]).round(3)

# %% [markdown]
# ## Score against coverage

# %%
ax = table.plot("coverage@20", "recall@20")
