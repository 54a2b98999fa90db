"""Keys made where their source says: on a token, or sealed by the real systemd-creds, and opened again."""

import json
import stat
import subprocess

import pytest

from gateway import cli
from gateway.cli import keymaking
from gateway.errors import ConfigError
from gateway.evidence import signer
from tests.gateway import softhsm
from tests.tools import need


def test_a_key_on_a_token_is_made_there_and_shown(tmp_path, capsys) -> None:
    with softhsm.token(tmp_path) as hsm:
        words = [hsm.uri("k1"), "--pin", str(hsm.pin), "--json"]
        assert cli.main(["keys", "new", *words]) == 0
        made = json.loads(capsys.readouterr().out)
        assert cli.main(["keys", "show", *words]) == 0
        assert json.loads(capsys.readouterr().out) == made
        assert made["key"] == "pkcs11:token=gridseal;object=k1"
        assert cli.main(["keys", "new", *words]) == 1
        assert "never overwritten" in capsys.readouterr().err


def test_a_credential_is_sealed_by_systemd_and_shows_the_line_of_its_unit(tmp_path, capsys) -> None:
    """With the real tool, which seals with the host's key where there is no TPM."""
    need("systemd-creds")
    file = tmp_path / "gridseal-key.cred"
    words = ["credential:gridseal-key", "--file", str(file), "--json"]
    assert cli.main(["keys", "new", *words]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["unit"] == f"LoadCredentialEncrypted=gridseal-key:{file}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert cli.main(["keys", "show", *words]) == 0
    assert json.loads(capsys.readouterr().out)["address"] == made["address"]
    opened = keymaking.open_credential_file("gridseal-key", file)
    assert signer.of_hex("", opened).address == made["address"]
    assert opened not in file.read_bytes() and bytes.fromhex(opened.decode()) not in file.read_bytes()
    assert cli.main(["keys", "new", *words]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert cli.main(["keys", "show", "credential:another", "--file", str(file)]) == 1
    assert "systemd-creds: " in capsys.readouterr().err  # a credential is sealed with its name


def test_systemd_creds_that_is_not_there_is_said(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="systemd 250"):
        keymaking.make_credential("k", tmp_path / "k.cred")


def test_a_tpm_that_never_answers_is_given_up(monkeypatch, tmp_path) -> None:
    def hangs(words, **options):
        raise subprocess.TimeoutExpired(words, options["timeout"])

    monkeypatch.setattr(keymaking.subprocess, "run", hangs)
    with pytest.raises(ConfigError, match="did not end within 60 s") as caught:
        keymaking.make_credential("k", tmp_path / "k.cred")
    assert caught.value.__suppress_context__, "the error under it holds the secret that was piped"


def test_a_credential_file_that_is_not_there_is_said(tmp_path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        keymaking.open_credential_file("k", tmp_path / "none.cred")
