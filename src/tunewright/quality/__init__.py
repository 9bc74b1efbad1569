"""Is the data any good? Each judgement names the lines that it rests on.

Functions of rows and of unit vectors that somebody else computed. One file for each way in which
data is made better: `form` (weak examples), `balance`, `grounding` (answers that hold what the row
does not), `agreement`, `sameness`.
"""
