"""The asv suite: see `savedmodel.py`."""
