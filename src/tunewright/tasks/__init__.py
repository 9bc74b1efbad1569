"""The ONE queue and the kinds of task that it holds."""

from tunewright.tasks.kinds import KINDS, LANES, Kind, Lane
from tunewright.tasks.queue import Held, LostLease, Task, Tasks

__all__ = ["KINDS", "LANES", "Held", "Kind", "Lane", "LostLease", "Task", "Tasks"]
