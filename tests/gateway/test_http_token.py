"""The token: made once, for its owner alone; anything else is said without a word of what is in the file."""

import stat
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.uplink.http import token


def test_it_is_made_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    made = token.load_or_make(path)
    assert len(bytes.fromhex(made)) == token.TOKEN_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token.load_or_make(path) == made
    assert token.make(tmp_path / "other") != made


@pytest.mark.parametrize("content", ["", "secret", "5a" * 31, "5A" * 32, "5a" * 40, "gg" * 32, "\xff" * 64])
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="is no token: delete it and make one") as caught:
        token.load(path)
    assert not content or content not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    token.make(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="others may read the token: chmod 600"):
        token.load(path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        token.load_or_make(tmp_path / "none" / "token")
    with pytest.raises(ConfigError, match="cannot read the token"):
        token.load(tmp_path)
