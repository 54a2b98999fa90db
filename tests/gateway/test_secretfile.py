"""Files with secrets: for their owner alone, and never written over."""

import errno
import os
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


def test_a_disk_that_turns_read_only_halfway_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tidying up fails as well then, and must not be what is heard. (Found by cutting at every call.)"""

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if not missing_ok:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ConfigError, match="secret: cannot be written: Read-only file system"):
        write_new(tmp_path / "secret", b"words\n")
    (tmp_path / "other").write_bytes(b"here")
    with pytest.raises(ConfigError, match="other: exists already"):
        write_new(tmp_path / "other", b"words\n")
