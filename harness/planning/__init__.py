"""From what is asked for to a plan: what it measures, what it costs, what it can show, and how a budget is spent."""
