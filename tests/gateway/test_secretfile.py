"""Files with secrets: for their owner alone, and never written over."""

import stat
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.secretfile import write_new


def test_a_new_file_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_new(path, b"words\n")
    assert path.read_bytes() == b"words\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_uid == tmp_path.stat().st_uid
    with pytest.raises(ConfigError, match="exists already; it is not overwritten"):
        write_new(path, b"others\n")
    assert path.read_bytes() == b"words\n"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        write_new(tmp_path / "none" / "secret", b"")
