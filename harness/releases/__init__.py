"""TensorFlow releases: which there are, what is pinned for each, and the environment of each."""
