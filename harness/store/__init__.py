"""What was measured, on disk: records (the truth), run directories, tables of them, and asv's projection."""
