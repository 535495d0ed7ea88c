"""The one exception that a user is meant to see."""


class UsageError(Exception):
    """Wrong usage or bad input: its message is one clear sentence that says what to do.

    The command line prints the message without a traceback and ends with exit code 3.
    """
