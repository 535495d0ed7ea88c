"""What several commands share: kinds of arguments, groups of options, where an answer goes, and measuring itself."""
