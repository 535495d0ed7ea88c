"""Answers to questions, as data: one module a question. Words and formats are `harness.report`'s."""
