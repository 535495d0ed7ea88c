"""What was measured, on disk: records (the truth), run directories, and tables of them."""
