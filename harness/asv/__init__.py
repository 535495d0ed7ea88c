"""Everything of airspeed velocity: its plugin, its result files, and the results of any other project that uses it."""
