"""How far verdicts can be trusted: simulations with known truth. `python -m tests.trust` computes docs/trust.md."""
