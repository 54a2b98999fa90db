"""Work in a process of its own, whose memory is given back: reading the configuration.

What checks a site.yaml is needed once and weighs a quarter of a running daemon. A child reads the files and
sends back plain objects; meanwhile the daemon loads itself. It refuses to fork beside other threads: the
child would have none of them, but the locks that they held.
"""

import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from gateway.errors import GridsealError

T = TypeVar("T")


def begin(work: Callable[[], T]) -> Callable[[], T]:
    """Start `work` in a child; call what is returned, once, to wait for its result. An expected error of
    `work` is raised there; SystemExit, with one line, if the child ended without an answer: a bug has been
    printed by it."""
    if threading.active_count() > 1:
        raise RuntimeError("a process is forked before its first thread, or not at all")
    print(end="", flush=True)  # or the child would print it too
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _send(work, writer)
    os.close(writer)

    def result() -> T:
        with os.fdopen(reader, "rb") as pipe:
            sent = pipe.read()  # until the child closed its end
        _, status = os.waitpid(child, 0)
        if code := os.waitstatus_to_exitcode(status):
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            raise SystemExit(f"gridseal: the process that reads the configuration {how}")
        answer: tuple[T, None] | tuple[None, Exception] = pickle.loads(sent)  # our own child's, see below
        if answer[1] is not None:
            raise answer[1]
        return answer[0]

    return result


def _send(work: Callable[[], object], writer: int) -> None:
    """In the child: the answer, and the end without the parent's exit handlers."""
    code = 1
    try:
        sent = pickle.dumps(_answer(work))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(sent)
        code = 0
    except (KeyboardInterrupt, BrokenPipeError):  # the parent has been stopped too
        pass
    except BaseException:  # noqa: BLE001  a bug is told here, with its traceback
        sys.excepthook(*sys.exc_info())
    finally:
        print(end="", flush=True)
        os._exit(code)


def _answer(work: Callable[[], object]) -> tuple[object, Exception | None]:
    try:
        return work(), None
    except (GridsealError, OSError, ModuleNotFoundError) as error:  # what the command line says in one line
        return None, error
