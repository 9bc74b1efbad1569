"""In a remedy: the command that makes a fit file of this one, which the check writes out."""

PREPARE, DROP_LONG = "{prepare}", "{prepare --drop-long}"
