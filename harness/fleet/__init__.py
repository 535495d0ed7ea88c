"""The same question on more machines than one: jobs of Slurm that measure, deliver and end."""
