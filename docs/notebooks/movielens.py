# %% [markdown]
# # MovieLens 100K: predicted ratings, similar films, learning curves
#
# This notebook predicts ratings, finds similar films and draws a learning curve. The data are 100,000 ratings of 1,682
# films by 943 users.

# %%
import os

import matplotlib.pyplot as plt
import pandas as pd

from aimass_core import ExplicitALS, ImplicitALS, Interactions, ItemKNN, Similarity, UserKNN
from aimass_core.data import split
from aimass_core.evaluation import evaluate

plt.rcParams["figure.dpi"] = 70
folder = os.path.join(os.environ["AIMASS_DATA"], "movielens-100k")
path = os.path.join(folder, "interactions.parquet")
titles = (
    pd.read_parquet(os.path.join(folder, "items.parquet")).set_index("item_id")["title"].to_dict()
)

# %%
ratings = Interactions.from_table(
    path, user="user_id", item="item_id", value="rating", time="timestamp"
)
ratings

# %% [markdown]
# ## Predict ratings on the official folds

# %%
models = {
    "user-kNN on baselines": UserKNN(n_neighbors=40, similarity="msd", aggregation="baseline"),
    "ALS": ExplicitALS(n_factors=32, regularization=0.1),
}
errors = {name: [] for name in models}
for fold in (1, 2):
    parts = split.by_column(
        path, column="fold", test=fold, user="user_id", item="item_id", value="rating"
    ).drop_unknown()
    table = evaluate(models, parts, metrics=["rmse"])
    for name in models:
        errors[name].append(table[name]["rmse"])
pd.DataFrame(errors, index=["fold 1", "fold 2"]).round(3)

# %% [markdown]
# ## Similar films
#
# Ratings of 4 and 5 count as liked. The graph shows the neighbourhood of Star Wars: nearer is more similar.

# %%
liked = ratings.keep_entries(ratings.matrix.data >= 4)
model = ItemKNN(similarity=Similarity("cosine", shrink=20)).fit(liked)
model.similar_items([50], k=5).with_titles(titles)

# %%
ax = model.plot(50, k=12, titles=titles)

# %% [markdown]
# ## A learning curve
#
# Training stops early where the metric of the validation part no longer rises (`patience`).

# %%
parts = split.per_user(liked, test_size=0.2, random_state=0)
als = ImplicitALS(n_factors=32, track_loss=True, metric="ndcg@10", max_iter=12, random_state=0)
ax = als.fit(parts.train, validation=parts.test).plot()

# %%
als
