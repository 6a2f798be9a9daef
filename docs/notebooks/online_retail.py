# %% [markdown]
# # Online Retail II: from transactions to lists, audiences and segments
#
# This notebook starts from a table of transactions, and ends with recommendations, target audiences and segments. The data
# are the sales of a British wholesaler of gifts from December 2010 to December 2011. A quarter of the lines have no
# customer id and are dropped.

# %%
import os

import matplotlib.pyplot as plt
import pandas as pd

from aimass_core import ImplicitALS, Interactions, ItemKNN, Popularity, rfm, segments
from aimass_core.data import split
from aimass_core.evaluation import evaluate
from aimass_core.retrieval import audience

plt.rcParams["figure.dpi"] = 70
folder = os.path.join(os.environ["AIMASS_DATA"], "online-retail-ii")
path = os.path.join(folder, "transactions_2010_2011_sales.parquet")

# %% [markdown]
# ## Read the transactions

# %%
x = Interactions.from_table(
    path, user="customer_id", item="stock_code", time="invoice_date", nulls="drop"
)
x

# %% [markdown]
# ## Compare models on the newest fifth of the purchases
#
# Columns with `:warm` hold the metrics of the customers who made a purchase before the split. The other columns hold
# those of all customers.

# %%
parts = split.temporal(x, test_size=0.2)
models = {
    "popular": Popularity(),
    "item-kNN": ItemKNN(n_neighbors=100, similarity="cosine"),
    "ALS": ImplicitALS(n_factors=64, random_state=0),
}
table = evaluate(models, parts, metrics=["recall"], k=10)
print(table.comparison)

# %% [markdown]
# ## Lists with titles

# %%
titles = pd.read_parquet(path, columns=["stock_code", "description"]).dropna()
titles = titles.drop_duplicates("stock_code").set_index("stock_code")["description"].to_dict()
model = ItemKNN(n_neighbors=100, similarity="cosine").fit(x)
model.recommend(x.users.ids[:3], k=4).with_titles(titles)

# %%
ax = model.plot("85123A", k=10, titles=titles)

# %% [markdown]
# ## Choose 500 customers for each of three products, each customer at most once

# %%
als = ImplicitALS(n_factors=64, random_state=0).fit(x)
chosen = audience(als, ["85123A", "22423", "84879"], size=500, max_per_user=1)
pd.DataFrame({"product": [titles[i] for i in chosen.items], "customers": chosen.sizes})

# %% [markdown]
# ## Segments by recency, frequency and monetary value

# %%
customers = rfm(
    path, user="customer_id", time="invoice_date", amount=("quantity", "price"), nulls="drop"
)
found = segments(customers, id="customer_id", random_state=0, n_bootstrap=5)
found
