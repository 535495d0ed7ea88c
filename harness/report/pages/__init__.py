"""Documents as a page has them: with figures, evidence that opens and everything that a terminal has no room for.

One module a question, beside the question's module in `harness.report`; the parts that several pages have in common are
in `stages`, `finding_words`, `evidence`, `cold_start` and `levels`.
"""
