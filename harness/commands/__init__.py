"""The commands: each module is one, named as it is typed, with `HELP`, `configure(parser)` and `run(options)`."""
