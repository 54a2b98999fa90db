"""A file that a verb writes for people: there whole or not at all, and nothing is left where it failed.

What is no regular file (a pipe, /dev/stdout) is written as it comes, and never replaced.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gateway.errors import ConfigError


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """What is written becomes `path` at the end. ConfigError where it cannot be written, or not all of it."""
    replaced = path.is_file() or not path.exists()
    draft = path.with_name(f"{path.name}.part") if replaced else path
    try:
        with draft.open("wb") as file:
            yield file
        if replaced:
            draft.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if replaced:
            with suppress(OSError):
                draft.unlink()
