"""Verdicts: pure functions from samples to what they show. No files, no clock, no global random state.

`judge.judge` is the way in. `intervals` turns samples into an estimate, `hypotheses` weighs it against a margin,
`power` says what more blocks would show, `exact` compares what does not vary, `margins` holds the margin table.
"""
