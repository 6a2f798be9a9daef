# %% [markdown]
# # Gowalla: the split of the literature
#
# A million check-ins of 29,858 people at 40,981 places, on the split that NGCF and LightGCN report on. LightGCN has a
# Recall@20 of .1830.

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
# ## Four models, all places ranked

# %%
models = {
    "popular": Popularity(),
    "cosine": ItemKNN(n_neighbors=100),
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
