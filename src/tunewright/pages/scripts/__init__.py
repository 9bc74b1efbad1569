"""The reports' JavaScript: ES modules, joined into one script without a build step."""
