"""What are the reviews about? Groups with names, and whether each is found again.

    python explore_clusters.py REVIEWS.csv

The table has the column Text, such as Amazon's fine-food reviews.
"""

import sys

from tunewright import Tunewright

table = Tunewright().explore.open(sys.argv[1], column="Text")
found = table.clusters()
print(f"{len(found.all)} clusters of {len(table)} reviews, silhouette {found.silhouette:.2f}")
for cluster in found.all:
    stable = "stable" if cluster.stable else "not stable"
    print(f"  {len(cluster.rows):4} reviews, {stable}: {cluster.name}")
