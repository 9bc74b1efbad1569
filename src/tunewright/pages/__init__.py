"""HTML reports: a file a report, put together from `parts`, in one style."""
