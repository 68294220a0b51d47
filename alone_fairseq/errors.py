"""Mistakes that a user can put right, and how they reach the user."""


class UserError(ValueError):
    """A mistake in what was asked for; its text is one line that says what to do.

    The ``alone`` commands print it behind ``alone: error:`` and exit with status 1.
    """


def not_installed(error: ImportError, package: str, extra: str) -> UserError:
    """What to say where ``package``, or one that it needs, can't be imported; ``extra`` of ours installs both."""
    missing = (error.name or package).split(".")[0]
    return UserError(f"{missing} is not installed: pip install '.[{extra}]'")


class TokenError(UserError, IndexError):
    """A token that is not in the vocabulary; an ``IndexError``, as ``nn.Embedding`` raises."""


class FatalUserError(UserError, SystemExit):
    """A ``UserError`` raised where fairseq's own commands would show a traceback.

    Python code catches it like any ``ValueError``. Left uncaught, the interpreter treats it as
    ``SystemExit``: the text on standard error, behind the name of this package, and exit status 1.
    """

    def __init__(self, message: str):
        super().__init__(message)
        self.code = f"alone_fairseq: {message}"  # without it the interpreter would exit in silence, with status 0
