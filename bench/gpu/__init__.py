"""The parts of `bench/gpu.sh`.

`bases` and `rows` are what is computed with; `machine`, `trainers`, `engines`, `checked` and
`served` are the measurements, each in a process of its own; `__main__` runs them and prints.
"""
