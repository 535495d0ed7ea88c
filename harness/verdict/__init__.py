"""Verdicts: pure functions from samples to what they show. No files, no clock, no global random state.

`judge.judge` is the way in. `intervals` turns samples into an estimate, `hypotheses` weighs it against a margin,
`power` says what more blocks would show, `exact` compares what does not vary, `margins` holds the margin table. `looks`
pays for judging a run more than once, `allocation` says which cells then go on, `findings` groups what was called, and
`calibration` says what a subject against itself tells about the machine. `history` and `trend` find changes in courses
(`course`), `confirmation` holds them against a paired run; `scaling` fits exponents. `rows` and `undecided` are what
goes in and comes out.
"""
