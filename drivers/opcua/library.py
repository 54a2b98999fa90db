"""The library asyncua, as far as a session needs it: its client, its values and its exceptions, in our terms.

Nothing here waits. TROUBLE is caught only around what the library itself does, so that an exception of its
own does not pass as a bug of ours, or the other way round.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from socket import SO_LINGER, SOL_SOCKET

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from drivers.opcua import security
from drivers.opcua.codec import Heard
from drivers.opcua.node import Kind, Node
from drivers.opcua.url import OpcUaUrl
from gateway.errors import FrameError, LinkError

NAMESPACES_MAX = 1000
SESSION_MS = 30_000  # how long a server keeps what we did not close
LIBRARY_S = 3600.0  # its own deadlines: ours come first
POLICY = SecurityPolicyBasic256Sha256
MODES = {"sign": ua.MessageSecurityMode.Sign, "encrypt": ua.MessageSecurityMode.SignAndEncrypt}
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {
    "i": ua.NodeIdType.Numeric,
    "s": ua.NodeIdType.String,
    "g": ua.NodeIdType.Guid,
    "b": ua.NodeIdType.ByteString,
}
_LETTERS: Mapping[ua.NodeIdType, Kind] = {
    ua.NodeIdType.TwoByte: "i",
    ua.NodeIdType.FourByte: "i",
    ua.NodeIdType.Numeric: "i",
    ua.NodeIdType.String: "s",
    ua.NodeIdType.Guid: "g",
    ua.NodeIdType.ByteString: "b",
}
_NO_ENTRY = frozenset({"BadIdentityTokenRejected", "BadIdentityTokenInvalid", "BadUserAccessDenied"})
_NO_TRUST = frozenset(
    {
        "BadSecurityChecksFailed",
        "BadCertificateUntrusted",
        "BadCertificateUriInvalid",
        "BadCertificateInvalid",
    }
)
# What the library raises when bytes are not what it expects has no common base.
TROUBLE = (
    ua.UaError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    struct.error,
    InvalidSignature,
    UnsupportedAlgorithm,
)
# The value or the node is at fault: asking again the same way is no use.
REFUSED = frozenset(
    {
        ua.StatusCodes.BadOutOfRange,
        ua.StatusCodes.BadTypeMismatch,
        ua.StatusCodes.BadNotWritable,
        ua.StatusCodes.BadUserAccessDenied,
        ua.StatusCodes.BadNodeIdUnknown,
        ua.StatusCodes.BadNodeIdInvalid,
        ua.StatusCodes.BadWriteNotSupported,
        ua.StatusCodes.BadInvalidArgument,
        ua.StatusCodes.BadNotSupported,
    }
)


def heard(value: ua.DataValue) -> Heard:
    """What the library decoded, in the codec's terms."""
    variant = value.Value
    type_ = ""
    if variant is not None and variant.Value is not None:
        name = str(getattr(variant.VariantType, "name", variant.VariantType))
        type_ = f"[]{name}" if variant.is_array else name
    status = value.StatusCode.value if value.StatusCode is not None else 0
    # Its server time is not used: the library misreads it where picoseconds come before it.
    said = variant.Value if variant is not None else None
    return Heard(type_, said, status, milliseconds(value.SourceTimestamp))


def milliseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _UNIX) // timedelta(milliseconds=1)


def client_of(where: OpcUaUrl) -> Client:
    client = Client(where.endpoint, timeout=LIBRARY_S)
    client.name = client.description = "gridseal"
    client.application_uri, client.product_uri = "urn:gridseal", "urn:gridseal"
    client.session_timeout = SESSION_MS
    return client


def reset(client: Client) -> None:
    protocol = client.uaclient.protocol
    transport = protocol.transport if protocol is not None else None
    if transport is None:
        return
    if (opened := transport.get_extra_info("socket")) is not None:
        opened.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def certificate(where: OpcUaUrl, endpoints: Sequence[ua.EndpointDescription]) -> bytes:
    """What the server shows where it offers what we want."""
    offered = set()
    for one in endpoints:
        policy = (one.SecurityPolicyUri or "").rpartition("#")[2]
        offered.add(f"{policy} {one.SecurityMode.name}")
        wanted = one.SecurityPolicyUri == POLICY.URI and one.SecurityMode == MODES[where.mode]
        if wanted and one.ServerCertificate:
            return security.first_of_chain(one.ServerCertificate)
    offers = ", ".join(sorted(offered)) or "nothing"
    raise LinkError(
        f"{where.endpoint} does not offer Basic256Sha256 {MODES[where.mode].name}, only: {offers}"
    )


def fingerprint(der: bytes | None) -> str:
    return security.fingerprint(security.first_of_chain(der)) if der else ""


def namespaces(value: ua.DataValue) -> dict[str, int]:
    said = value.Value.Value if value.Value is not None else None
    if not isinstance(said, list) or len(said) > NAMESPACES_MAX:
        raise FrameError("the server does not tell its namespaces")
    return {uri: index for index, uri in reversed(list(enumerate(said))) if isinstance(uri, str)}


def why(where: OpcUaUrl, error: BaseException) -> str:
    """What an exception of TROUBLE means for the person at the site."""
    name = type(error).__name__
    if name in _NO_ENTRY:
        return f"it does not let in {where.user or 'anybody without a name'} ({name})"
    if name in _NO_TRUST and where.trusted:
        return f"it does not trust this gateway ({name}): have it trust {where.client}.der"
    if isinstance(error, ua.UaStatusCodeError):
        return f"it says {name}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or name
    return f"what it says cannot be understood: {str(error) or name}"


@dataclass(frozen=True, slots=True)
class Child:
    """A node that lies below another."""

    node: Node
    name: str
    kind: str  # Object, Variable, Method


def browsing(node: ua.NodeId, most: int) -> ua.BrowseParameters:
    """Everything below a node, by whatever reference of the hierarchy."""
    what = ua.BrowseDescription(
        NodeId=node,
        ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
        ResultMask=ua.BrowseResultMask.All,
    )
    return ua.BrowseParameters(RequestedMaxReferencesPerNode=most, NodesToBrowse=[what])


def children(references: Sequence[ua.ReferenceDescription], named: Mapping[int, str]) -> list[Child]:
    """Of this server and of namespaces that it tells."""
    found = []
    for one in references:
        id, home = one.NodeId, named.get(one.NodeId.NamespaceIndex)
        kind = _LETTERS.get(id.NodeIdType)
        elsewhere = getattr(id, "ServerIndex", 0)
        if home is not None and kind is not None and not elsewhere:
            name = one.DisplayName.Text or one.BrowseName.Name or ""
            found.append(Child(Node(home, kind, id.Identifier), name, one.NodeClass.name))
    return found


def status_name(code: int) -> str:
    """The standard's, or the number of one that is nobody's."""
    known = code & 0xFFFF_0000  # below are bits that say more of it
    name = str(ua.StatusCode(known).name)
    return name if getattr(ua.StatusCodes, name, None) == known else f"{code:#010x}"


@dataclass(frozen=True, slots=True)
class Offered:
    """What a server says of itself to whoever asks. `modes`: policy and mode of each endpoint; `logins`: how
    it lets people in."""

    name: str
    uri: str
    modes: tuple[str, ...]
    logins: tuple[str, ...]
    secured: Mapping[str, str]  # mode of our URLs -> fingerprint of the certificate there


def offered(endpoints: Sequence[ua.EndpointDescription]) -> Offered:
    modes, logins, secured = dict[str, None](), dict[str, None](), dict[str, str]()
    names = {mode: name for name, mode in MODES.items()}
    for one in endpoints:
        policy = (one.SecurityPolicyUri or "").rpartition("#")[2]
        modes[policy if policy == "None" else f"{policy} {one.SecurityMode.name}"] = None
        logins |= dict.fromkeys(token.TokenType.name for token in one.UserIdentityTokens or ())
        mode = names.get(one.SecurityMode)
        if mode is not None and one.SecurityPolicyUri == POLICY.URI and one.ServerCertificate:
            secured.setdefault(mode, fingerprint(one.ServerCertificate))
    server = endpoints[0].Server if endpoints else ua.ApplicationDescription()
    name = server.ApplicationName.Text or ""
    return Offered(name, server.ApplicationUri or "", tuple(modes), tuple(logins), secured)


def node_id(node: Node, index: int) -> ua.NodeId:
    return ua.NodeId(node.identifier, index, _KINDS[node.kind])


def check_password(where: OpcUaUrl, policy: str | None) -> None:
    """LinkError when the server would have the password sent so that it can be read on the way. Without a
    policy of its own it goes under that of the channel."""
    if where.mode != "encrypt" and policy not in (POLICY.URI, None, ""):
        name = policy.rpartition("#")[2]
        raise LinkError(f"{where.endpoint} wants the password under the policy {name}: write mode=encrypt")
