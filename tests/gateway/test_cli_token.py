"""`gridseal token`: shows what the daemon made, makes what it has not, replaces it when told to."""

import stat
from pathlib import Path

import pytest

from gateway import cli
from tests.gateway.test_httpfile import SITE


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE + "http: {token: http-token}\n")
    return path


def test_it_is_made_shown_and_replaced(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for words in ([], [], ["--new"], []):
        assert cli.main(["token", str(site), *words]) == 0
        said.append(capsys.readouterr().out.strip())
    assert said[0] == said[1] != said[2] == said[3]
    assert all(len(bytes.fromhex(token)) == 32 for token in said)
    assert stat.S_IMODE((site.parent / "http-token").stat().st_mode) == 0o600


def test_the_relayer_has_one_of_its_own(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["token", str(site), "--relayer"]) == 1
    assert "add http: {relayer: …}" in capsys.readouterr().err
    site.write_text(SITE + "http: {token: http-token, relayer: relayer-token}\n")
    said = []
    for words in ([], ["--relayer"], ["--relayer"], ["--relayer", "--new"]):
        assert cli.main(["token", str(site), *words]) == 0
        said.append(capsys.readouterr().out.strip())
    assert len({*said}) == 3 and said[1] == said[2]
    assert (site.parent / "relayer-token").read_text().strip() == said[3]


def test_a_site_without_http_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    assert cli.main(["token", str(path)]) == 1
    assert "this site has no `http:`" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_said(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site.parent / "http-token").mkdir()
    assert cli.main(["token", str(site), "--new"]) == 1
    assert "cannot be replaced" in capsys.readouterr().err
