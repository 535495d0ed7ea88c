"""`make speed`: what the harness itself costs, and what other ways to the same samples would cost (docs/speed.md)."""
