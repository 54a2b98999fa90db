"""The failures Gridseal expects, and no others.

Each class is one kind of trouble that a site meets in ten years; the supervisor handles them, once.
Anything else that is raised is a bug: it ends the process and systemd starts it again. The message is
written for the person at the site: what is wrong and what to do, in one line.
"""

from dataclasses import dataclass


class GridsealError(Exception):
    """Root of the expected failures; never raised itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration file: where, what, and the nearest valid key if there is one."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{tail}"


class ConfigError(GridsealError):
    """A file or an option that cannot be used. Carries every problem found, not only the first."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message if not problems else "\n".join(str(p) for p in problems))
        self.problems = problems


class LinkError(GridsealError):
    """A wire, port or socket that does not answer: try again later, with backoff."""


class FrameError(LinkError):
    """An answer that does not match what was asked; it is dropped and counted, never believed."""


class DeviceRefused(LinkError):
    """The device understood and said no (a Modbus exception): asking again the same way is no use."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Unidentified(LinkError):
    """A request that was held back: who answers on this connection has not said yet who it is."""


class StoreError(GridsealError):
    """The disk or the database failed: nothing more is acknowledged, control goes to fallback."""


class ChainError(GridsealError):
    """An RPC endpoint, a transaction or a contract failed or cannot be believed."""


class ServiceRefused(GridsealError):
    """A person's request that the running daemon turned down; the message is the reason."""
