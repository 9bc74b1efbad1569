"""Did it help? Functions of answers, references and log-probabilities that somebody else got from
the models (`resources.asking`).

`distance`: how far answers lie apart. `comparison`: a model held against the one that it replaces.
`failures`: what a tuned model still gets wrong, and the training rows that lie nearest.
"""
