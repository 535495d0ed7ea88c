"""The commands: each ties measuring, results, verdicts and reports together for one question."""
