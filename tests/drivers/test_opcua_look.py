"""What a server is and has, for people: `gridseal scan opcua` and `gridseal raw` against node-opcua, and what
is made of descriptions that a server may give.
"""

import json

import pytest
from asyncua import ua

from drivers.opcua import PLUGIN, library, look
from drivers.opcua.codec import Heard
from drivers.opcua.library import Child
from drivers.opcua.node import Node
from gateway import cli
from gateway.clock import SystemClock
from gateway.errors import ConfigError, LinkError
from gateway.recognising import Looking, Offering
from tests.drivers import opcua_bench
from tests.drivers.opcua_bench import NAMESPACE, PROFILE

INVERTER = f"nsu={NAMESPACE};i=1000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a profile beside site.yaml, one of another device, and one whose namespace the server has not."""
    folder = tmp_path_factory.mktemp("look")
    (folder / "site.yaml").write_text("site: {}\n")
    (folder / "ess5.yaml").write_text(PROFILE)
    (folder / "other.yaml").write_text(PROFILE.replace("s=Battery.", "s=Bms.").replace("Int32}", "Int64}"))
    (folder / "stranger.yaml").write_text(PROFILE.replace("urn:gridseal:test:ess", "urn:stranger"))
    return folder


@pytest.fixture(scope="module")
def peer(folder):
    with opcua_bench.server(folder) as running:
        yield running


def test_the_plugin_offers_and_shows():
    assert isinstance(PLUGIN, Offering) and isinstance(PLUGIN, Looking)


def test_a_scan_proposes_a_link_that_pins_the_server_and_the_profile_that_fits(peer, folder, capsys):
    pinned = f"{peer.url}?mode=encrypt&server=sha256:{peer.identity.fingerprint}"
    assert cli.main(["scan", "--json", "opcua", peer.url, "--site", str(folder / "site.yaml")]) == 0
    (find,) = json.loads(capsys.readouterr().out)["finds"]
    assert find["link"] == pinned
    assert [(m["profile"], m["identity"]["serial"]) for m in find["matches"]] == [("ess5", "SN-0042")]
    said = " ".join(find["notes"])
    assert (
        "calls itself NodeOPCUA" in said and "Basic256Sha256 SignAndEncrypt" in said and "Anonymous" in said
    )
    assert f"sha256:{peer.identity.fingerprint}: compare that" in said
    assert cli.main(["scan", "opcua", peer.url.removeprefix("opc.tcp://")]) == 0
    plain = capsys.readouterr().out
    assert "fits no profile" in plain and peer.identity.fingerprint in plain


def test_a_node_is_shown_with_what_lies_below_it(peer, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert cli.main(["raw", peer.url]) == 0
    assert f"{INVERTER}" in capsys.readouterr().out.replace("\n", "")
    peer.put("Double", 3.5, "BadSensorFailure")
    assert cli.main(["raw", peer.url, INVERTER]) == 0
    said = capsys.readouterr().out
    for word in ("s=Battery.SoC", "Float", "51.2000", "SN-0042", "BadSensorFailure"):
        assert word in said
    assert f"nodes without nsu= are of the namespace {NAMESPACE}" in " ".join(said.split())
    assert cli.main(["raw", peer.url, f"nsu={NAMESPACE};s=Info.Serial"]) == 0
    assert "SN-0042" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a", "b"], "write one node"),
        (["ns=2;s=x"], "an index may change"),
        (["nsu=urn:nobody;i=1"], "has no namespace 'urn:nobody'; it has: "),
        ([f"nsu={NAMESPACE};i=1"], "BadNodeIdUnknown"),
    ],
)
def test_what_cannot_be_shown_is_one_line(peer, capsys, words, says):
    assert cli.main(["raw", peer.url, *words]) == 1
    assert says in " ".join(capsys.readouterr().err.split())


async def test_more_than_a_screen_is_told(peer, monkeypatch):
    monkeypatch.setattr(look, "CHILDREN_MAX", 3)
    shown = await PLUGIN.look(peer.url, [INVERTER], 1, SystemClock())
    assert len(shown.rows) == 4 and "more than 3 below it" in shown.note


async def test_nobody_there_is_a_link_error(capsys):
    url = f"opc.tcp://127.0.0.1:{opcua_bench.free_port()}"
    for asked in (PLUGIN.offers(url, {}, SystemClock()), PLUGIN.look(url, [], 1, SystemClock())):
        with pytest.raises(LinkError, match="Connect call failed"):
            await asked
    with pytest.raises(ConfigError, match="write it like"):
        await PLUGIN.offers("opc.tcp://", {}, SystemClock())


def test_a_scan_that_finds_nobody_says_why(capsys):
    assert cli.main(["scan", "opcua", f"127.0.0.1:{opcua_bench.free_port()}"]) == 1
    assert "Connect call failed" in capsys.readouterr().out
    assert cli.main(["scan", "opcua", "tcp://127.0.0.1"]) == 1
    assert "no address of a server that says what it is" in capsys.readouterr().err


def endpoint(policy="Basic256Sha256", mode="SignAndEncrypt", certificate=b"0\x82", tokens=("Anonymous",)):
    return ua.EndpointDescription(
        SecurityPolicyUri=f"http://opcfoundation.org/UA/SecurityPolicy#{policy}",
        SecurityMode=ua.MessageSecurityMode[mode],
        ServerCertificate=certificate,
        UserIdentityTokens=[ua.UserTokenPolicy(TokenType=ua.UserTokenType[t]) for t in tokens],
    )


def test_what_a_server_offers_in_whatever_order():
    found = library.offered([
        endpoint("None", "None_", None), endpoint(mode="Sign", tokens=("UserName",)), endpoint(), endpoint(),
        endpoint("Basic256", certificate=b"other"), endpoint(certificate=None),
    ])  # fmt: skip
    assert found.modes == (
        "None", "Basic256Sha256 Sign", "Basic256Sha256 SignAndEncrypt", "Basic256 SignAndEncrypt"
    )  # fmt: skip
    assert found.logins == ("Anonymous", "UserName") and set(found.secured) == {"sign", "encrypt"}
    assert (found.name, found.uri) == ("", "")


def test_a_server_without_an_endpoint_or_security_is_said_to_be_that():
    nobody = look._told(library.offered([]))
    assert nobody[0] == "calls itself nothing (without a URI)" and "offers no endpoint" in nobody[1]
    assert "offers no Basic256Sha256" in nobody[2]


def test_children_of_other_servers_and_of_unknown_namespaces_are_left_out():
    def reference(node, name="x"):
        return ua.ReferenceDescription(
            NodeId=node, DisplayName=ua.LocalizedText(name), NodeClass=ua.NodeClass.Variable
        )

    kept = library.children(
        [
            reference(ua.NodeId("a", 1), "A"),
            reference(ua.NodeId("b", 7)),
            reference(ua.ExpandedNodeId("c", 1, ServerIndex=2)),
            reference(ua.NodeId(5, 1, ua.NodeIdType.TwoByte), ""),
        ],
        {1: "urn:x"},
    )
    assert kept == [
        Child(Node("urn:x", "s", "a"), "A", "Variable"),
        Child(Node("urn:x", "i", 5), "", "Variable"),
    ]


def test_a_status_has_its_name_or_its_number():
    assert library.status_name(0x8034_0000) == "BadNodeIdUnknown"
    assert library.status_name(0x4092_0480) == "UncertainInitialValue"
    assert library.status_name(0x8FFF_0000) == "0x8fff0000"


@pytest.mark.parametrize("source_ms", [None, 0, 2**62, -(2**62)])
def test_whatever_time_a_server_gives_is_shown(source_ms):
    assert len(look._shown("Variable", Heard("Double", "x" * 500, 0x4000_0000, source_ms))) == 4
    assert look._time(1_000) == "1970-01-01 00:00:01Z"
