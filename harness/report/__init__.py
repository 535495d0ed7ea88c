"""Reports: a `Comparison` in, text out. Nothing else of the project formats a verdict."""
