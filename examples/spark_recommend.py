"""Interactions from Spark, and lists back into Spark, by Parquet and Arrow.

Run in a clone: pip install '.[spark]' with Java 17; python examples/spark_recommend.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from aimass_core import ImplicitALS, Interactions
from aimass_core.data.datasets import make_store
from aimass_core.retrieval import ArrowRecommender


def main() -> None:
    """Read a DataFrame of Spark, fit, and make lists on Spark's workers."""
    folder = Path(tempfile.mkdtemp())
    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = session.getOrCreate()
    # Stands for a table of the warehouse.
    make_store(random_state=0).write_parquet(folder)
    sales = spark.read.parquet(str(folder / "interactions.parquet"))
    pairs = sales.groupBy("user_id", "item_id").count()
    pairs.write.parquet(str(folder / "pairs"))

    parts = sorted((folder / "pairs").glob("*.parquet"))
    x = Interactions.from_table(parts, user="user_id", item="item_id", value="count")
    ImplicitALS(n_factors=32, max_iter=5).fit(x).save(folder / "model.safetensors")

    recommend = ArrowRecommender(folder / "model.safetensors", k=10)
    customers = pairs.select("user_id").distinct()
    lists = customers.mapInArrow(recommend, recommend.spark_schema)
    print(f"{lists.count():,} rows of lists for {customers.count():,} customers")
    spark.stop()


if __name__ == "__main__":
    main()
