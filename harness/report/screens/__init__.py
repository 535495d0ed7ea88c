"""Documents for a terminal: the answer on one screen of 80 columns and 40 lines, for whoever has ten seconds.

One module a question, beside the question's module in `harness.report`. What is left out here is in the document of the
report (`--verbose`, Markdown) and on its page.
"""
