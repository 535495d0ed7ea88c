"""The exceptions that a user is meant to see."""


class UsageError(Exception):
    """Wrong usage or bad input: its message is one clear sentence that says what to do.

    The command line prints the message without a traceback and ends with exit code 3.
    """


class ReleaseError(UsageError):
    """A release cannot be had here; one sentence that says why and what to do."""
