"""The terminal as the verbs write to it. It refuses to judge a reader that leaves: who called does that."""

from rich.console import Console


class Screen(Console):
    """Rich's console, except that a closed pipe is the exception it is, and not Rich's exit code 1."""

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704
