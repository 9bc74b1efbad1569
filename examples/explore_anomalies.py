"""Which reviews are unlike all others, and why?

    python explore_anomalies.py REVIEWS.csv

The table has the column Text, such as Amazon's fine-food reviews.
"""

import sys

from tunewright import Tunewright

table = Tunewright().explore.open(sys.argv[1], column="Text")
found = table.anomalies(share=0.01)
print(f"{len(found.found)} of {len(table)} reviews")
for one in found.found[:5]:
    print(f"  line {table.lines[one.row]}, {one.reason}: {table.texts[one.row][:60]}")
