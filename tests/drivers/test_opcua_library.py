"""What the library says, in our terms; and servers that are none: no byte of theirs gets past a LinkError."""

import asyncio
import contextlib
import re
import struct

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.opcua import library, security
from drivers.opcua.codec import TYPES, Field, Heard, decode
from drivers.opcua.node import Node
from drivers.opcua.session import BYTES_MAX, Session
from drivers.opcua.url import parse
from gateway.clock import SystemClock
from gateway.errors import FrameError, LinkError
from gateway.model import Quality

TRUSTED = parse(f"opc.tcp://plc?mode=encrypt&server=sha256:{'ab' * 32}&user=u&password=/p&client=/c/own")
OPEN = parse("opc.tcp://plc")
NODE = Node("urn:x", "s", "n")


def wired(value, **more):
    """As it comes from a wire."""
    return library.heard(
        struct_from_binary(ua.DataValue, ua.utils.Buffer(struct_to_binary(ua.DataValue(value, **more))))
    )


@pytest.mark.parametrize(
    ("variant", "type_", "value"),
    [
        (ua.Variant(1.5, ua.VariantType.Double), "Double", 1.5),
        (ua.Variant(True, ua.VariantType.Boolean), "Boolean", True),
        (ua.Variant(2**64 - 1, ua.VariantType.UInt64), "UInt64", 2**64 - 1),
        (ua.Variant("x", ua.VariantType.String), "String", "x"),
        (ua.Variant([1.0, 2.0], ua.VariantType.Double), "[]Double", [1.0, 2.0]),
        (ua.Variant(), "", None),
        (ua.Variant(None, ua.VariantType.String), "", None),
    ],
)
def test_values_are_told_with_their_own_type(variant, type_, value):
    assert wired(variant) == Heard(type_, value)


def test_status_and_source_time_come_along():
    said = wired(
        ua.Variant(1, ua.VariantType.Byte), StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure)
    )
    assert said.status == ua.StatusCodes.BadSensorFailure
    assert library.heard(ua.DataValue(ua.Variant(1.0), StatusCode=None)).status == 0


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=60))
def test_bytes_of_a_value_are_a_value_of_its_type_or_trouble(type_, data):
    try:
        value = struct_from_binary(ua.DataValue, ua.utils.Buffer(data))
    except library.TROUBLE:
        return
    heard = library.heard(value)
    try:
        found, quality = decode(Field("grid_power_w", NODE, type_), heard)
    except TypeError:
        return
    assert isinstance(found, int)
    assert quality != Quality.GOOD or heard.type == type_


@pytest.mark.parametrize(
    ("where", "error", "says"),
    [
        (TRUSTED, ua.uaerrors.BadUserAccessDenied(), "does not let in u"),
        (OPEN, ua.uaerrors.BadIdentityTokenRejected(), "anybody without a name"),
        (TRUSTED, ua.uaerrors.BadCertificateUntrusted(), r"does not trust this gateway.*trust /c/own\.der"),
        (OPEN, ua.uaerrors.BadSecurityChecksFailed(), "it says BadSecurityChecksFailed"),
        (OPEN, ua.uaerrors.BadTooManySessions(), "it says BadTooManySessions"),
        (OPEN, ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (OPEN, ConnectionError("connection lost"), "connection lost"),
        (OPEN, struct.error("unpack requires 4 bytes"), "cannot be understood: unpack"),
        (OPEN, KeyError(), "cannot be understood: KeyError"),
    ],
)
def test_trouble_is_told_to_people(where, error, says):
    assert isinstance(error, library.TROUBLE)
    assert re.search(says, library.why(where, error))


def endpoint(policy, mode, certificate=b"\x30\x01"):
    return ua.EndpointDescription(
        SecurityPolicyUri=f"http://opcfoundation.org/UA/SecurityPolicy#{policy}",
        SecurityMode=mode,
        ServerCertificate=certificate,
    )


def test_the_certificate_is_that_of_the_endpoint_we_want():
    modes = ua.MessageSecurityMode
    offers = [
        endpoint("None", modes.None_, b"none"),
        endpoint("Basic256Sha256", modes.Sign, b"sign"),
        endpoint("Basic256Sha256", modes.SignAndEncrypt, b"both"),
    ]
    assert library.certificate(TRUSTED, offers) == b"both"
    with pytest.raises(
        LinkError, match=r"does not offer Basic256Sha256 SignAndEncrypt, only: Basic256Sha256 S"
    ):
        library.certificate(TRUSTED, offers[:2])
    with pytest.raises(LinkError, match="only: nothing"):
        library.certificate(TRUSTED, [])
    with pytest.raises(LinkError, match="does not offer"):
        library.certificate(TRUSTED, [endpoint("Basic256Sha256", modes.SignAndEncrypt, None)])


def test_a_certificate_is_known_by_its_first_part():
    assert library.fingerprint(None) == library.fingerprint(b"") == ""
    assert library.fingerprint(b"x") == security.fingerprint(b"x")


def test_namespaces_are_what_a_server_lists():
    listed = ua.DataValue(ua.Variant(["a", "b", "a"], ua.VariantType.String))
    assert library.namespaces(listed) == {"a": 0, "b": 1}
    for wrong in (ua.Variant(), ua.Variant("a"), ua.Variant(["x"] * 1001, ua.VariantType.String)):
        with pytest.raises(FrameError, match="namespaces"):
            library.namespaces(ua.DataValue(wrong))


def test_a_password_is_not_sent_so_that_it_can_be_read():
    signed = parse(f"opc.tcp://plc?mode=sign&server=sha256:{'ab' * 32}&user=u&password=/p")
    weak = "http://opcfoundation.org/UA/SecurityPolicy#"
    for policy in (library.POLICY.URI, None, ""):
        library.check_password(signed, policy)
    for name in ("None", "Basic128Rsa15"):
        library.check_password(TRUSTED, weak + name)  # the channel hides it
        with pytest.raises(LinkError, match=f"under the policy {name}: write mode=encrypt"):
            library.check_password(signed, weak + name)


# -- servers that are none ------------------------------------------------------------------------

ACK = b"ACKF" + struct.pack("<I5I", 28, 0, 65535, 65535, 0, 0)


async def opened(answer, timeout_s=0.5):
    """A session with a server that answers each piece with `answer(n)`; what came of it."""
    count = 0

    async def serve(reader, writer):
        nonlocal count
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                for piece in answer(count):
                    writer.write(piece)
                    await writer.drain()
                count += 1
        writer.transport.abort()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    session = Session(parse(f"opc.tcp://127.0.0.1:{port}"), SystemClock())
    try:
        with pytest.raises(LinkError) as caught:
            await session.open(timeout_s)
        assert not session.alive
        return str(caught.value)
    finally:
        session.abort()
        listener.close()


async def test_a_port_where_nobody_listens_is_said():
    session = Session(parse("opc.tcp://127.0.0.1:1"), SystemClock())
    with pytest.raises(LinkError, match=r"opc\.tcp://127\.0\.0\.1:1"):
        await session.open(5)


async def test_a_server_that_says_nothing_is_given_up():
    assert "no answer within 0.2 s" in await opened(lambda n: [], timeout_s=0.2)


async def test_a_message_that_claims_to_be_huge_is_not_waited_for():
    header = b"MSGF" + struct.pack("<I", 2**32 - 1)
    text = await opened(lambda n: [ACK] if n == 0 else [header] + [bytes(65536)] * 64, timeout_s=20)
    assert "no answer" not in text
    assert BYTES_MAX < 64 * 65536


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=120), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([b"", b"MSGF", b"OPNF", b"ERRF"]),
)
async def test_noise_is_a_link_error(pieces, acknowledged, kind):
    def answer(n):
        if n == 0 and acknowledged:
            return [ACK]
        whole = [kind + struct.pack("<I", 8 + len(piece)) + piece for piece in pieces]
        return whole if kind else pieces

    await opened(answer, timeout_s=0.05)
