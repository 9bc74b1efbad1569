"""How varied are the reviews, and which are there twice?

    python explore_diversity.py REVIEWS.csv

The table has the column Text, such as Amazon's fine-food reviews.
"""

import sys

from tunewright import Tunewright

table = Tunewright().explore.open(sys.argv[1], column="Text")
found = table.diversity()
distance = found.mean_distance
print(f"mean distance {distance.value:.3f} ({distance.low:.3f} to {distance.high:.3f})")
print(f"as varied as {found.vendi:.0f} reviews that have nothing in common")
print(f"{found.duplicate_rows} reviews are near-duplicates of another")
for group in found.duplicates[:3]:
    print(f"  lines {[table.lines[row] for row in group]}: {table.texts[group[0]][:60]}")
