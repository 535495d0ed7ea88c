"""Writers and readers of artifacts. Each is its own row in every result; none stands in for another."""
