"""How the batch of one optimizer step is computed: exact plans, and the choice of the cheapest.

A step's rows are given (`training.order`); a plan may lay them out in any way whose gradients equal
those of the separate rows. Sorting or sharing across steps would change what is learnt.

`tries` finds shared prefixes, `costs` estimates what computing takes, `planner` divides the rows
into micro-batches, `layouts` makes the tensors of a forward pass and `passes` runs it.
"""
