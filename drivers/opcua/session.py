"""One session with an OPC UA server, from opening to its first trouble; after that a new one is made.

It owns the library's client and what that must not be trusted with: deadlines, the amount of bytes it takes,
what it raises, and its own reconnecting, which is never used. There is no task of its own: whoever waits for
a notification asks for it. A request that failed, timed out or was given up ends the session; after a write
the connection is reset too, so that nothing still queued in the kernel reaches the device later.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from asyncua import Client, ua
from asyncua.client.ua_client import UaClientState
from asyncua.crypto.uacrypto import CertProperties

from drivers.opcua import library, security
from drivers.opcua.codec import Heard, Native
from drivers.opcua.feed import Feed, Item
from drivers.opcua.library import TROUBLE, Child, heard, reset
from drivers.opcua.node import STANDARD, Node
from drivers.opcua.url import OpcUaUrl
from gateway.clock import Clock
from gateway.errors import DeviceRefused, FrameError, LinkError

CHANNEL_MS = 3_600_000
LIFE_MS_MIN = 1_000  # whatever the server says
RENEW_PARTS = (3, 4)  # of a channel's life, as the standard says
BYTES_MAX = 2**20  # that may come without being an answer to something
KEEP_ALIVE_COUNT = 1  # each publishing interval says something, if only that nothing changed
LIFETIME_COUNT = 30
CLOSE_S = 0.5


class Session:
    """`open` once; every method after it raises LinkError, and then the session is over. `channel_ms` is how
    long keys are used."""

    def __init__(self, where: OpcUaUrl, clock: Clock, channel_ms: int = CHANNEL_MS) -> None:
        self._where, self._clock = where, clock
        self._client = library.client_of(where)
        self._client.secure_channel_timeout = channel_ms
        self._namespaces: dict[str, int] = {}
        self._feeds: dict[int, Feed] = {}
        self._acknowledge: list[ua.SubscriptionAcknowledgement] = []
        self._renew_ms = 0
        self._renewing = asyncio.Lock()
        self._pumping = False
        self._turn = asyncio.Event()
        self._unanswered = 0  # bytes since the last answer
        self._over = False
        self.certificate = ""  # fingerprint of the one that the server shows

    @property
    def alive(self) -> bool:
        return not self._over and self._client.state is UaClientState.CONNECTED

    async def open(self, timeout_s: float) -> None:
        """Connect, check who it is, log in. LinkError with what to do about it."""
        async with self._asking(timeout_s, resets=True):
            if self._where.trusted:
                await self._secure()
            await self._channel(self._client)
            created = await self._client.create_session()
            self.certificate = library.fingerprint(created.ServerCertificate)
            await self._log_in()
            found = await self._read([ua.NodeId(ua.ObjectIds.Server_NamespaceArray)])
            self._namespaces = library.namespaces(found[0])
            self._renew_ms = self._clock.mono_ms() + self._life_ms()

    async def read(self, nodes: Sequence[Node], timeout_s: float) -> list[Heard]:
        """One request; an answer for each node, in order."""
        async with self._asking(timeout_s):
            await self._renew()
            values = await self._read([self._id(node) for node in nodes])
            return [heard(value) for value in values]

    async def endpoints(self, timeout_s: float) -> Sequence[ua.EndpointDescription]:
        """What the server offers to whoever asks, without a session."""
        async with self._asking(timeout_s):
            return await self._endpoints()

    def knows(self, nodes: Iterable[Node]) -> bool:
        """Whether the server has the namespaces of all of them."""
        return all(node.namespace == STANDARD or node.namespace in self._namespaces for node in nodes)

    async def children(self, node: Node, most: int, timeout_s: float) -> tuple[list[Child], bool]:
        """What lies below a node, at most so many, and whether that is all."""
        async with self._asking(timeout_s):
            await self._renew()
            (found,) = await self._client.uaclient.browse(library.browsing(self._id(node), most))
            found.StatusCode.check()
            named = {index: uri for uri, index in self._namespaces.items()} | {0: STANDARD}
            return library.children(found.References[:most], named), not found.ContinuationPoint

    async def write(self, node: Node, type_: str, value: Native, timeout_s: float) -> None:
        """Write one value, of exactly this type. DeviceRefused when the device says no."""
        variant = ua.Variant(value, ua.VariantType[type_])
        async with self._asking(timeout_s, resets=True):
            await self._renew()
            results = await self._client.uaclient.write_attributes(
                [self._id(node)], [ua.DataValue(variant, StatusCode=None)]
            )
            if len(results) != 1:
                raise FrameError(f"{len(results)} results for one write")
            good, code = results[0].is_good(), results[0].value
            text = f"{self._where.endpoint}: {node} is not written: {results[0].name}"
        if not good:
            raise DeviceRefused(text, code) if code in library.REFUSED else LinkError(text)

    async def subscribe(self, items: Sequence[Item], interval_ms: int, timeout_s: float) -> tuple[Feed, int]:
        """A feed of these items, and the longest silence of a server that is well, in ms."""
        async with self._asking(timeout_s):
            await self._renew()
            asked = ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=interval_ms,
                RequestedLifetimeCount=LIFETIME_COUNT * KEEP_ALIVE_COUNT,
                RequestedMaxKeepAliveCount=KEEP_ALIVE_COUNT,
                MaxNotificationsPerPublish=len(items),
                PublishingEnabled=True,
            )
            made = await self._client.uaclient.session.create_subscription(asked, lambda _: None)
            feed = self._feeds[made.SubscriptionId] = Feed(len(items))
            made_of = [self._item(item, at) for at, item in enumerate(items)]
            wanted = ua.CreateMonitoredItemsParameters(
                made.SubscriptionId, ua.TimestampsToReturn.Both, ItemsToCreate=made_of
            )
            results = await self._client.uaclient.create_monitored_items(wanted)
            if len(results) != len(items):
                raise FrameError(f"{len(results)} results for {len(items)} items")
            for at, result in enumerate(results):
                if not result.StatusCode.is_good():
                    feed.heard[at] = Heard("", None, result.StatusCode.value)
            return feed, int(made.RevisedPublishingInterval * max(1, made.RevisedMaxKeepAliveCount))

    async def unsubscribe(self, feed: Feed, timeout_s: float) -> None:
        """Be told no more. What is still on its way is passed over."""
        found = [id for id, other in self._feeds.items() if other is feed]
        async with self._asking(timeout_s):
            for id in found:
                del self._feeds[id]
            await self._client.uaclient.delete_subscriptions(found)

    async def hear(self, feed: Feed, timeout_s: float) -> None:
        """Until `feed` is fresh. One of those who wait asks for all: the server answers for any of them."""
        async with self._asking(timeout_s):
            while not feed.fresh:
                if self._pumping:
                    await self._turn.wait()
                    if self._over:
                        raise FrameError("the session is over")
                else:
                    await self._pump()

    async def close(self) -> None:
        """Say goodbye, if it takes no longer than a moment: servers have few sessions, and keep one that was
        broken off until its time is over."""
        self._end()
        if self._client.state is UaClientState.CONNECTED:
            try:
                async with asyncio.timeout(CLOSE_S):
                    await self._client.uaclient.close_session(True)
                    await self._client.close_secure_channel()
            except (TimeoutError, *TROUBLE):
                pass
        self.abort()

    def abort(self) -> None:
        """End it now. What the kernel has not sent yet it forgets: a setpoint never arrives late."""
        self._end()
        reset(self._client)

    def _end(self) -> None:
        self._over = True
        self._turn.set()

    # -- opening ----------------------------------------------------------------------------------

    async def _secure(self) -> None:
        """Ask who the server is, over a channel of its own, and set up keys for exactly that one."""
        where = self._where
        own = await asyncio.to_thread(security.own, where.client, self._clock.now().wall_ms)
        shown = library.certificate(where, await self._endpoints())
        security.check_shown(where, shown)
        self._client.application_uri = own.uri
        await self._client.set_security(
            library.POLICY,
            CertProperties(own.certificate, "der"),
            CertProperties(own.key, "pem"),
            server_certificate=CertProperties(shown, "der"),
            mode=library.MODES[where.mode],
        )

    async def _endpoints(self) -> Sequence[ua.EndpointDescription]:
        asker = library.client_of(self._where)
        try:
            await self._channel(asker)
            found: list[ua.EndpointDescription] = await asker.get_endpoints()
            return found
        finally:
            reset(asker)

    async def _channel(self, client: Client) -> None:
        await client.connect_socket()
        self._guard(client)
        await client.send_hello()
        try:
            await client.open_secure_channel()
        except AssertionError as error:  # the library loses what the server says here
            raise ua.UaStatusCodeError(ua.StatusCodes.BadSecurityChecksFailed) from error

    async def _log_in(self) -> None:
        where, client = self._where, self._client
        # Only ours asks for notifications: the library's own would hide what goes wrong with them.
        client.uaclient.session.ensure_publish_loop = lambda: None
        if not where.user:
            await client.activate_session()
            return
        library.check_password(where, client.server_policy(ua.UserTokenType.UserName).SecurityPolicyUri)
        secret = await asyncio.to_thread(security.password, where)
        await client.activate_session(where.user, secret)

    # -- requests ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def _asking(self, timeout_s: float, *, resets: bool = False) -> AsyncIterator[None]:
        """Whatever is asked is asked in here: a deadline, and the end of the session unless it succeeds."""
        done = False
        try:
            if self._over:
                raise LinkError(f"{self._where.endpoint}: the session is over")
            async with asyncio.timeout(timeout_s):
                yield
            done = True
            self._unanswered = 0
        except TimeoutError as error:
            raise LinkError(f"{self._where.endpoint}: no answer within {timeout_s:g} s") from error
        except LinkError:
            raise
        except TROUBLE as error:
            raise LinkError(f"{self._where.endpoint}: {library.why(self._where, error)}") from error
        finally:
            if not done:
                self._end()
                if resets:
                    self.abort()

    async def _read(self, ids: Sequence[ua.NodeId]) -> list[ua.DataValue]:
        wanted = [ua.ReadValueId(NodeId=id, AttributeId=ua.AttributeIds.Value) for id in ids]
        asked = ua.ReadParameters(0, ua.TimestampsToReturn.Both, wanted)
        found: list[ua.DataValue] = await self._client.uaclient.read(asked)
        if len(found) != len(ids):
            raise FrameError(f"{len(found)} values for {len(ids)} nodes")
        return found

    async def _pump(self) -> None:
        """One PublishRequest and its answer, whoever it is for."""
        self._pumping = True
        try:
            await self._renew()
            acknowledged, self._acknowledge = self._acknowledge, []
            response = await self._client.uaclient.publish(acknowledged)
            response.ResponseHeader.ServiceResult.check()
            self._unanswered = 0
            self._dispatch(response.Parameters)
        finally:
            self._pumping = False
            self._turn.set()
            self._turn = asyncio.Event()

    def _dispatch(self, said: ua.PublishResult) -> None:
        feed = self._feeds.get(said.SubscriptionId)
        if feed is None:
            return  # of one that was ended, most likely
        message, changes = said.NotificationMessage, list[tuple[int, Heard]]()
        for part in message.NotificationData or ():
            if isinstance(part, ua.StatusChangeNotification):
                raise FrameError(f"the server ends the subscription: {part.Status.name}")
            if isinstance(part, ua.DataChangeNotification):
                changes += [(item.ClientHandle, heard(item.Value)) for item in part.MonitoredItems or ()]
        feed.take(
            changes,
            sequence=message.SequenceNumber,
            empty=not message.NotificationData,
            more=said.MoreNotifications,
            stamp=self._clock.now(),
        )
        if message.NotificationData:
            self._acknowledge.append(
                ua.SubscriptionAcknowledgement(said.SubscriptionId, message.SequenceNumber)
            )

    async def _renew(self) -> None:
        """Fresh keys, when the channel's are old."""
        async with self._renewing:
            if self._clock.mono_ms() >= self._renew_ms:
                await self._client.open_secure_channel(renew=True)
                self._client.uaclient.revolve_security_token()
                self._renew_ms = self._clock.mono_ms() + self._life_ms()

    def _life_ms(self) -> int:
        part, parts = RENEW_PARTS
        return max(LIFE_MS_MIN, int(self._client.secure_channel_timeout)) * part // parts

    def _id(self, node: Node) -> ua.NodeId:
        index = 0 if node.namespace == STANDARD else self._namespaces.get(node.namespace)
        if index is None:
            known = ", ".join(uri for uri in self._namespaces if uri != STANDARD)
            raise LinkError(
                f"{self._where.endpoint} has no namespace {node.namespace!r}; it has: {known or 'none'}"
            )
        return library.node_id(node, index)

    def _item(self, item: Item, handle: int) -> ua.MonitoredItemCreateRequest:
        trigger = ua.DataChangeTrigger.StatusValueTimestamp
        return ua.MonitoredItemCreateRequest(
            ua.ReadValueId(NodeId=self._id(item.node), AttributeId=ua.AttributeIds.Value),
            ua.MonitoringMode.Reporting,
            ua.MonitoringParameters(
                handle,
                item.sampling_ms,
                Filter=ua.DataChangeFilter(Trigger=trigger) if item.timed else None,
                QueueSize=1,
                DiscardOldest=True,
            ),
        )

    def _guard(self, client: Client) -> None:
        """The library keeps whatever comes until a message is whole, however long it claims to be."""
        protocol = client.uaclient.protocol
        assert protocol is not None
        take = protocol.data_received

        def data_received(data: bytes) -> None:
            self._unanswered += len(data)
            if self._unanswered > BYTES_MAX:
                reset(client)
            else:
                take(data)

        protocol.data_received = data_received
