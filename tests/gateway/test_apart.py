"""Work in a child process: what comes back, what is raised, and that nothing of the child is left behind.

Each case is a process of its own: the tests' has threads, so it may not fork.
"""

import os
import subprocess
import sys
import textwrap
import threading

import pytest

from gateway import apart

ROOT = os.fspath(os.path.dirname(apart.__file__) + "/..")
HEAD = """
import os, pickle, signal, sys, threading
from gateway import apart
from gateway.errors import ConfigError, Problem
from gateway.site import SiteLimits

def nobody_left():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": ROOT},
    )


def said(code: str) -> str:
    """What it printed; it ended well and complained of nothing."""
    done = run(code)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_result_comes_from_another_process_which_is_gone_then() -> None:
    assert (
        said("""
        pid, limits = apart.begin(lambda: (os.getpid(), SiteLimits(1, 2, 3, 4, 5)))()
        print(pid != os.getpid(), limits == SiteLimits(1, 2, 3, 4, 5), nobody_left())
        """)
        == "True True True\n"
    )


def test_what_the_child_loads_stays_in_the_child() -> None:
    assert (
        said("""
        def work():
            import tomllib
            return "tomllib" in sys.modules
        print(apart.begin(work)(), "tomllib" in sys.modules)
        """)
        == "True False\n"
    )


def test_the_parent_goes_on_while_the_child_works() -> None:
    assert (
        said("""
        reader, writer = os.pipe()
        result = apart.begin(lambda: os.read(reader, 9))  # waits for the parent
        os.write(writer, b"go on")
        print(result().decode())
        """)
        == "go on\n"
    )


def test_a_result_larger_than_the_pipe_arrives_whole() -> None:
    assert (
        said("""
        found = apart.begin(lambda: list(range(10**6)))()
        print(found == list(range(10**6)), nobody_left())
        """)
        == "True True\n"
    )


def test_a_configuration_error_keeps_its_message_and_every_problem() -> None:
    assert said("""
        problems = (Problem("site.yaml", 3, 1, "unknown key 'sit'", "did you mean 'site'?"),
                    Problem("own.yaml", 9, 4, "is not a number"))
        def work():
            raise ConfigError("", problems)
        try:
            apart.begin(work)()
        except ConfigError as error:
            print(error.problems == problems, nobody_left())
            print(error)
        """) == (
        "True True\nsite.yaml:3:1: unknown key 'sit' (did you mean 'site'?)\nown.yaml:9:4: is not a number\n"
    )


def test_a_file_that_may_not_be_read_is_the_parent_s_to_tell() -> None:
    assert (
        said("""
        def broken():
            open("/nonexistent/file")
        try:
            apart.begin(broken)()
        except OSError as error:
            print(error.filename, error.strerror, nobody_left())
        """)
        == "/nonexistent/file No such file or directory True\n"
    )


def test_a_bug_is_printed_once_with_the_traceback_of_the_child() -> None:
    done = run("""
        def broken():
            return 1 // 0
        apart.begin(broken)()
        """)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("in broken") == done.stderr.count("ZeroDivisionError") == 1
    assert done.stderr.endswith("the process that reads the configuration ended with code 1\n")


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("os._exit(3)", "ended with code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal 9"),
    ],
)
def test_a_child_that_dies_ends_the_parent_with_one_line(end: str, says: str) -> None:
    done = run(f"apart.begin(lambda: {end})()")
    assert done.returncode == 1
    assert done.stderr == f"gridseal: the process that reads the configuration {says}\n"


def test_what_cannot_travel_is_a_bug_that_the_child_tells() -> None:
    done = run("apart.begin(lambda: threading.Lock())()")
    assert done.returncode == 1
    assert "cannot pickle" in done.stderr
    assert done.stderr.endswith("the process that reads the configuration ended with code 1\n")


def test_nothing_is_printed_twice_nor_lost() -> None:
    assert (
        said("""
        import atexit
        atexit.register(print, "the end")
        print("before")  # still buffered: standard output is a pipe
        apart.begin(lambda: print("child"))()
        print("after")
        """)
        == "before\nchild\nafter\nthe end\n"
    )


def test_a_child_whose_parent_gave_up_ends_silently() -> None:
    done = run("apart.begin(lambda: bytes(10**6))")  # more than the pipe holds, and never asked for
    assert (done.returncode, done.stderr) == (0, "")


def test_it_refuses_to_fork_beside_a_thread() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="before its first thread"):
            apart.begin(lambda: None)
    finally:
        stop.set()
        thread.join()
