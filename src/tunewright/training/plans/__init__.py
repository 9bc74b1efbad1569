"""How the rows of one step are computed: exact plans, and the choice of the cheapest.

A step's rows are given (`training.order`); a plan may lay them out in any way whose gradients equal
those of the separate rows. Sorting or sharing across steps would change what is learnt.

`tries` finds what rows share, `costs` says what computing takes, `planner` chooses, `layouts` makes
the arrays of a pass and `passes` runs them.
"""
