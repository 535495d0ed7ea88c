"""Measuring: workers, blocks and runs. Turns a plan into records and judges nothing."""
