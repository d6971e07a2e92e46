"""The one exception a user is meant to read: a sentence that says what is wrong and what to do."""


class BadInput(Exception):
    """Something the user gave cannot be used.

    Its message is one sentence that names the file or key, what is wrong and what to do; the command
    line prints it and ends with exit code 2.
    """
