"""Do the reviews tell how many stars they come with? Which stars are likely wrong?

    python explore_classification.py REVIEWS.csv

The table has the columns Summary, Text and Score, such as Amazon's fine-food reviews.
"""

import sys

from tunewright import Tunewright

RULE = "Score >= 4 against <= 2"

table = Tunewright().explore.open(sys.argv[1], column="Summary,Text", number="Score")
found = table.classify(RULE)
auc = found.auc
if auc is not None:
    print(f"area under the ROC curve {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})")
right = found.accuracy
print(f"accuracy {right.value:.3f} ({right.low:.3f} to {right.high:.3f})", end=", ")
print(f"always the most frequent: {found.majority:.3f}")
for one in found.suspects[:3]:
    text = table.texts[one.row][:60]
    print(f"  line {table.lines[one.row]} says {one.given}, rather {one.predicted}: {text}")

stars = table.regress("Score")
print(f"stars: off by {stars.mae.value:.2f}; always the mean: {stars.baseline_mae:.2f}")

told = table.zero_shot({"Score >= 4": "I love it", "Score <= 2": "I am disappointed"}, label=RULE)
if told.judged is not None and told.judged.auc is not None:
    print(f"without learning: area under the ROC curve {told.judged.auc.value:.3f}")
