"""The parts of `bench/train.py`.

`work` says what is learnt, `contenders` and `ablation` learn it, `meter` measures them, `results`
keeps what was measured, `report` and `picture` show it.
"""

RATE, RANK, ALPHA, BATCH = 5e-4, 8, 32, 16

MAIN = ["tunewright", "trl", "trl-float32", "trl-best", "peft"]
TRIED = ["trl-2", "trl-4", "trl-8", "trl-16", "trl-grouped", "trl-free", "peft-1"]
INGREDIENTS = ["own-lora", "no-mask", "few-logits", "lengths", "sharing"]
LADDER = ["peft", *INGREDIENTS, "tunewright"]
