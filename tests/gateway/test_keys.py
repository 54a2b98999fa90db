"""`gridseal keys`: a key is made once, encrypted, private to its owner, and its secret never shown."""

import json
import os
import stat

import pytest

from gateway import cli
from gateway.cli import keys
from gateway.errors import ConfigError
from gateway.evidence import signer
from tests.tools import missing

ROUNDS = 1000  # weak on purpose: tests need no strength


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(signer, "PBKDF2_ROUNDS", ROUNDS)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def parsed(verb: str, *words: object):
    return cli._parser("keys").parse_args(["keys", verb, *map(str, words)])


def new(path, words) -> dict[str, str]:
    return keys.new(parsed("new", path, "--passphrase", words))


def test_a_new_key_is_private_and_opens_with_the_passphrase_made_beside_it(tmp_path, capsys) -> None:
    path, words = tmp_path / "key.json", tmp_path / "pass"
    assert cli.main(["keys", "new", str(path), "--passphrase", str(words), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    key = signer.open_keystore(path, words)
    assert (said["address"], said["public key"]) == (key.address, "0x" + key.public_key.hex())
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(words.stat().st_mode) == 0o600
    assert len(words.read_text().strip()) >= 32


def test_what_root_makes_belongs_to_whom_the_folder_belongs_to(tmp_path) -> None:
    """The daemon runs as another user than the installer who makes its key."""
    if os.geteuid() != 0:
        missing("root, who alone can give files away")
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 12345, 54321)
    new(tmp_path / "state" / "key.json", tmp_path / "pass")
    owners = [(p.stat().st_uid, p.stat().st_gid) for p in (tmp_path / "state/key.json", tmp_path / "pass")]
    assert owners == [(12345, 54321), (0, 0)]


def test_what_exists_is_never_overwritten(tmp_path, capsys) -> None:
    path, words = tmp_path / "key.json", tmp_path / "pass"
    path.write_text("precious")
    assert cli.main(["keys", "new", str(path), "--passphrase", str(words)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert path.read_text() == "precious" and not words.exists()


def test_an_existing_passphrase_file_is_used_as_it_is(tmp_path) -> None:
    words = tmp_path / "pass"
    words.write_text("correct horse\n")
    new(tmp_path / "key.json", words)
    assert words.read_text() == "correct horse\n"
    assert signer.open_keystore(tmp_path / "key.json", words)


def test_show_tells_the_address_and_with_the_passphrase_the_public_key(tmp_path, capsys) -> None:
    path, words = tmp_path / "key.json", tmp_path / "pass"
    made = new(path, words)
    assert cli.main(["keys", "show", str(path)]) == 0
    assert cli.main(["keys", "show", str(path), "--passphrase", str(words)]) == 0
    out = capsys.readouterr().out
    assert out.count(made["address"]) == 2 and out.count(made["public key"]) == 1
    assert words.read_text().strip() not in out


@pytest.mark.parametrize("verb", ["new", "show"])
def test_trouble_is_one_line(tmp_path, capsys, verb: str) -> None:
    assert cli.main(["keys", verb, str(tmp_path / "none" / "key.json")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("gridseal: ") and error.count("\n") == 1


def test_a_folder_that_is_not_there_is_said_and_a_keystore_without_address_too(tmp_path) -> None:
    words = tmp_path / "pass"
    words.write_text("x")
    with pytest.raises(ConfigError, match="cannot be written"):
        new(tmp_path / "none" / "key.json", words)
    new(tmp_path / "key.json", words)
    store = json.loads((tmp_path / "key.json").read_text())
    del store["address"]
    (tmp_path / "key.json").write_text(json.dumps(store))
    with pytest.raises(ConfigError, match="does not say its address"):
        keys.show(parsed("show", tmp_path / "key.json"))


def test_usage_errors_are_two() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["keys"])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["credential:k"], "name the file"),
        (["pkcs11:token=t"], "module-path"),
        (["pkcs11:token=t;object=k?module-path=/none.so"], "no PIN"),
    ],
)
def test_what_is_missing_is_said(capsys, words: list[str], said: str) -> None:
    assert cli.main(["keys", "new", *words]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
