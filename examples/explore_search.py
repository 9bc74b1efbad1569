"""Which reviews say what a question says, and which are like a given one?

    python explore_search.py REVIEWS.csv

The table has the column Text, such as Amazon's fine-food reviews.
"""

import sys

from tunewright import Tunewright

table = Tunewright().explore.open(sys.argv[1], column="Text")
query = "the package arrived broken"
print(f"{query!r}:")
for hit in table.search(query, top=3):
    print(f"  {hit.score:.2f}  line {table.lines[hit.row]}: {table.texts[hit.row][:70]}")

first = table.search(query, top=1)[0].row
print(f"like line {table.lines[first]}:")
for one in table.similar(first, top=3):
    print(f"  {one.score:.2f}  line {table.lines[one.row]}: {table.texts[one.row][:70]}")
