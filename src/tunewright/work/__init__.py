"""What moves jobs on: the worker's loop, and one file for each kind of task."""
