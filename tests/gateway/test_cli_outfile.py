"""A file is there whole or not at all, and what is no file stays what it is."""

import os
import stat

import pytest

from gateway.cli.outfile import whole
from gateway.errors import ConfigError


def test_it_appears_at_the_end_and_replaces_what_was(tmp_path):
    path = tmp_path / "out"
    path.write_text("before")
    with whole(path) as file:
        file.write(b"after")
        assert path.read_text() == "before"
    assert path.read_text() == "after" and os.listdir(tmp_path) == ["out"]


def half(path, ended):
    with whole(path) as file:
        file.write(b"half")
        raise ended


@pytest.mark.parametrize("ended", [KeyboardInterrupt, ValueError])
def test_what_was_ended_leaves_nothing(tmp_path, ended):
    path = tmp_path / "out"
    path.write_text("before")
    with pytest.raises(ended):
        half(path, ended)
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["no/folder/out", "file/out", "."])
def test_where_it_cannot_be(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written: \w+"), whole(tmp_path / name):
        pass
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_is_told(tmp_path):
    """The kernel's own: each write to it fails as on a disk without room."""
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with (
        pytest.raises(ConfigError, match="full cannot be written: No space left on device"),
        whole(link) as file,
    ):
        file.write(b"x" * 100_000)
    assert link.is_symlink() and stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_pipe_is_written_as_it_comes_and_stays_one(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with whole(path) as file:
            file.write(b"told")
        assert os.read(reader, 10) == b"told"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode) and os.listdir(tmp_path) == ["pipe"]
