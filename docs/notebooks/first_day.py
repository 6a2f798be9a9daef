# %% [markdown]
# # The first day of a new product
#
# A new product has features, but no sales. This notebook hides a fifth of the items from training and measures how well models
# find the users of these items from features: genres, years and titles of films, and tags of artists.

# %%
import os

import pandas as pd

from aimass_core import ColdStart, ContentBased, Features, HybridALS, Interactions, Popularity
from aimass_core.data import split
from aimass_core.evaluation import evaluate
from aimass_core.retrieval import audience

folder = os.environ["AIMASS_DATA"]
films = pd.read_parquet(os.path.join(folder, "movielens-latest-small", "items.parquet"))
films["year"] = films["title"].str.extract(r"\((\d{4})\)\s*$")[0].astype(float)
films["title"] = films["title"].str.replace(r"\s*\(\d{4}\)\s*$", "", regex=True)
ratings = Interactions.from_table(
    os.path.join(folder, "movielens-latest-small", "interactions.parquet"),
    user="user_id",
    item="item_id",
    value="rating",
)
liked = ratings.keep_entries(ratings.matrix.data >= 4)
films.head(3)

# %% [markdown]
# ## Features
#
# Each set of columns is encoded once. Genres are tags, the year is a number, the title is text.

# %%
sets = {
    "genres": {"genres": "tags"},
    "genres, year": {"genres": "tags", "year": "numeric"},
    "titles": {"title": {"kind": "text", "min_frequency": 3}},
    "genres, year, titles": {
        "genres": "tags",
        "year": "numeric",
        "title": {"kind": "text", "min_frequency": 3},
    },
}
tables = {
    name: Features(columns, id_column="item_id").fit_transform(films)
    for name, columns in sets.items()
}
tables["genres, year, titles"]

# %% [markdown]
# ## New films
#
# A fifth of the films has no rating in train. Lists hold new films only. `ColdStart` on `Popularity` is the popularity in the genre:
# a new film gets the mean popularity of the films of its genres.

# %%
parts = split.cold_items(liked, test_size=0.2, random_state=0)
rows = {}
for name, table in tables.items():
    models = {"hybrid ALS": HybridALS(n_factors=32, random_state=0), "content": ContentBased()}
    if name == "genres":
        models["popularity in genre"] = ColdStart(model=Popularity())
    found = evaluate(models, parts, metrics="recall", k=20, item_features=table, candidates="new")
    for model in models:
        rows[f"{model}: {name}"] = {
            "recall@20": found[model]["recall@20"],
            "lower": found.intervals[model]["recall@20"].lower,
            "upper": found.intervals[model]["recall@20"].upper,
        }
pd.DataFrame(rows).T.round(4)

# %% [markdown]
# ## One user
#
# The new films that are recommended to one user.

# %%
titles = films.set_index("item_id")["title"].to_dict()
table = tables["genres, year"]
model = HybridALS(n_factors=32, random_state=0).fit(parts.train.drop_empty(), item_features=table)
user = parts.train.users.ids[:1]
new = films["item_id"][~films["item_id"].isin(model.items_.ids)]
model.recommend(user, k=5, candidates=new, item_features=table).with_titles(titles)

# %% [markdown]
# ## The users of a new film
#
# `audience` finds the users of an item instead of the items of a user. Here it chooses 50 users for each of the ten new films that
# most users of the test set like. The model has not seen a rating of these films. The last column counts the users who like the film
# among the 50 users with most films in train.

# %%
likes = parts.test.to_pandas().groupby("item_id")["user_id"].agg(set)
liked_most = likes[likes.str.len().nlargest(10).index]
chosen = audience(model, liked_most.index, size=50, item_features=table)
most_active = set(parts.train.to_pandas()["user_id"].value_counts().index[:50])
pd.DataFrame(
    {
        titles[film]: {
            "users who like it": len(users),
            "of 50 chosen": len(users & set(chosen.of(film)[0].tolist())),
            "of the 50 most active": len(users & most_active),
        }
        for film, users in liked_most.items()
    }
).T

# %% [markdown]
# ## New artists
#
# Last.fm: artists with the tags that at least two users gave them.

# %%
lastfm = os.path.join(folder, "lastfm-hetrec-2k")
plays = Interactions.from_table(
    os.path.join(lastfm, "interactions.parquet"), user="user_id", item="item_id"
)
tags = pd.read_parquet(os.path.join(lastfm, "tags.parquet"))
counts = tags.groupby(["item_id", "tag"]).size()
chosen = counts[counts >= 2].reset_index().groupby("item_id")["tag"].agg(list).reset_index()
table = Features({"tag": {"kind": "tags", "min_frequency": 5}}).fit_transform(chosen)
parts = split.cold_items(plays, test_size=0.2, random_state=0)
evaluate(
    {
        "hybrid ALS": HybridALS(n_factors=32, random_state=0),
        "content": ContentBased(),
        "popularity in tag": ColdStart(model=Popularity()),
    },
    parts,
    metrics="recall",
    k=20,
    item_features=table,
    candidates="new",
)
