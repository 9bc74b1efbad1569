"""One class a noun: what is on the wire, what is stored, and what Python code holds.

Names follow OpenAI's objects. No field here is absent from the wire; what only we need
(organisation, sequence, version, leases) is a column of the catalog.
"""
