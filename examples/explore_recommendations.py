"""What else may somebody like who liked these reviews' products, and not that one?

    python explore_recommendations.py REVIEWS.csv

The table has the columns Text and ProductId, such as Amazon's fine-food reviews.
"""

import sys

from tunewright import Tunewright

LIKED, DISLIKED = "strong dark coffee", "green tea"

table = Tunewright().explore.open(sys.argv[1], column="Text")
liked = [hit.row for hit in table.search(LIKED, top=2)]
disliked = [hit.row for hit in table.search(DISLIKED, top=1)]
products = table.labels("ProductId")
print(f"liked: lines {[table.lines[row] for row in liked]}, disliked: {DISLIKED}")
for one in table.recommend(liked, disliked, top=5, variety=0.3):
    because = table.lines[one.because]
    print(
        f"  {one.score:.2f}  {products[one.row]}, like line {because}: {table.texts[one.row][:60]}"
    )
