"""A key on a PKCS#11 token: it is made there, never leaves, and signs digests one at a time.

A module may block for as long as it likes and cannot be cancelled, so one thread of its own talks to it and
every call is given up after CALL_S; while one hangs, the next is refused at once. A token that went away or
lost its session is opened again at the next signature. It refuses keys that could be taken off the token,
and never tries a PIN again that the token has refused: three wrong ones, and a token locks for ever.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import ModuleType
from typing import Any, TypeVar

from gateway.errors import ConfigError, LinkError
from gateway.site import TokenKey

CALL_S = 10.0  # a slow card takes one second; opening, with its login, three
SECP256K1, P256 = "06052b8104000a", "06082a8648ce3d030107"  # DER of the curves' names
_CURVES = {SECP256K1: "secp256k1", P256: "P-256"}

T = TypeVar("T")


class Worker:
    """One thread for all calls into a module. It is a daemon: a call that hangs must not hold up the exit."""

    def __init__(self, name: str, call_s: float = CALL_S) -> None:
        self._name = name
        self._call_s = call_s
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._late: Future[Any] | None = None
        threading.Thread(target=self._serve, name="pkcs11", daemon=True).start()

    def call(self, work: Callable[[], T]) -> T:
        """What `work` gives, or raises. LinkError when it takes too long, or an earlier call still does."""
        if self._late is not None and not self._late.done():
            raise LinkError(f"{self._name}: the token still does not answer")
        future: Future[T] = Future()
        self._work.put((future, work))
        try:
            return future.result(self._call_s)
        except TimeoutError:
            self._late = future
            raise LinkError(f"{self._name}: the token does not answer within {self._call_s:g} s")

    def _serve(self) -> None:
        while True:
            future, work = self._work.get()
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  handed to whoever waits for it
                future.set_exception(error)


class Token:
    """One key of a token, opened. `sign` gives the raw r || s of whichever curve it is on."""

    def __init__(self, place: TokenKey, pin: bytes, curve: str, *, by_hand: bool = False) -> None:
        self.place = place
        self._pin = pin
        self._curve = curve
        self._pkcs11 = library()
        self._worker = Worker(str(place))
        self._session: Any = None
        self._key: Any = None
        self._by_hand = by_hand
        self.public_key: bytes = self._worker.call(lambda: self._open(anew=False))
        self._by_hand = False

    def __repr__(self) -> str:
        return f"Token({self.place})"

    def sign(self, digest: bytes) -> bytes:
        """64 bytes. LinkError when the token is away; the next call looks for it anew."""
        return self._worker.call(lambda: self._sign(digest))

    def close(self) -> None:
        self._worker.call(self._close)

    # ---- in the worker's thread -------------------------------------------------------------------------

    def _sign(self, digest: bytes) -> bytes:
        if self._key is None:
            self._reopen()
        try:
            return bytes(self._key.sign(digest, mechanism=self._pkcs11.Mechanism.ECDSA))
        except self._pkcs11.PKCS11Error:
            self._close()  # a session that was lost with the token is made again, once
        self._reopen()
        try:
            return bytes(self._key.sign(digest, mechanism=self._pkcs11.Mechanism.ECDSA))
        except self._pkcs11.PKCS11Error as error:
            self._close()
            raise LinkError(f"{self.place}: the token does not sign: {said(error)}")

    def _reopen(self) -> None:
        try:
            found = self._open(anew=True)
        except ConfigError as error:  # at the start it was right: what is wrong now may pass
            raise LinkError(str(error))
        if found != self.public_key:
            self._close()
            raise LinkError(f"{self.place}: another token, or another key, than at the start")

    def _open(self, *, anew: bool) -> bytes:
        try:
            self._session = self._logged_in(anew)
            self._key = self._private()
            return self._public()
        except self._pkcs11.PKCS11Error as error:
            self._close()
            raise LinkError(f"{self.place}: the token cannot be used: {said(error)}")
        except ConfigError:
            self._close()
            raise

    def _close(self) -> None:
        session, self._session, self._key = self._session, None, None
        try:
            if session is not None:
                session.close()
        except self._pkcs11.PKCS11Error:
            return  # it was gone already

    def _logged_in(self, anew: bool) -> Any:
        token = find(self._pkcs11, self.place, anew=anew)
        return login(self._pkcs11, self.place, token, self._pin, by_hand=self._by_hand)

    def _private(self) -> Any:
        key = self._one(self._pkcs11.ObjectClass.PRIVATE_KEY)
        attribute = self._pkcs11.Attribute
        if key[attribute.EXTRACTABLE] or not key[attribute.SENSITIVE]:
            raise ConfigError(f"{self.place}: this key can be taken off the token; make one that cannot")
        return key

    def _public(self) -> bytes:
        key = self._one(self._pkcs11.ObjectClass.PUBLIC_KEY)
        curve = bytes(key[self._pkcs11.Attribute.EC_PARAMS]).hex()
        if curve != self._curve:
            names = _CURVES.get(curve, "another curve"), _CURVES[self._curve]
            raise ConfigError(f"{self.place}: a key on {names[0]}, not on {names[1]}")
        return point(bytes(key[self._pkcs11.Attribute.EC_POINT]))

    def _one(self, kind: Any) -> Any:
        attribute = self._pkcs11.Attribute
        wanted = {attribute.CLASS: kind, attribute.KEY_TYPE: self._pkcs11.KeyType.EC}
        if self.place.object:
            wanted[attribute.LABEL] = self.place.object
        if self.place.id:
            wanted[attribute.ID] = self.place.id
        found = list(self._session.get_objects(wanted))
        if len(found) != 1:
            text = "no such key is" if not found else f"{len(found)} such keys are"
            raise ConfigError(f"{self.place}: {text} on the token ({kind.name.lower().replace('_', ' ')})")
        return found[0]


def library() -> ModuleType:
    """python-pkcs11, which only a site with a token needs."""
    try:
        import pkcs11
    except ImportError:
        raise ConfigError("a key on a token needs the extra pkcs11: pip install gridseal[pkcs11]")
    return pkcs11


def find(pkcs11: ModuleType, place: TokenKey, *, anew: bool = False) -> Any:
    """The token in its slot. `anew`: modules remember their slots, and one that was unplugged may be back in
    another."""
    try:
        module = pkcs11.lib(str(place.module))
        if anew:
            module.reinitialize()
        tokens = [
            token
            for token in module.get_tokens()
            if (not place.token or token.label == place.token)
            and (not place.serial or token.serial.decode("ascii", "replace") == place.serial)
        ]
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        raise ConfigError(f"{place.module}: this PKCS#11 module cannot be used: {said(error)}")
    if len(tokens) != 1:
        text = "no such token is here" if not tokens else "more than one such token: name its serial"
        raise LinkError(f"{place}: {text}")
    return tokens[0]


def login(pkcs11: ModuleType, place: TokenKey, token: Any, pin: bytes, *, by_hand: bool) -> Any:
    """An open session. `by_hand`: a person asks, and may try once more after a wrong PIN."""
    flags = pkcs11.TokenFlag
    if token.flags & flags.USER_PIN_LOCKED:
        raise ConfigError(f"{place}: the token's PIN is locked")
    if token.flags & (flags.USER_PIN_COUNT_LOW | flags.USER_PIN_FINAL_TRY) and not by_hand:
        raise ConfigError(
            f"{place}: a wrong PIN was given to this token; correct it, then prove it by hand, once:"
            " gridseal keys show"
        )
    try:
        return token.open(rw=by_hand, user_pin=pin.decode("utf-8", "replace"))
    except pkcs11.UserAlreadyLoggedIn:  # by the site's other key on this token
        return token.open(rw=by_hand)
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked) as error:
        raise ConfigError(f"{place}: the PIN does not open this token ({said(error)})")


def said(error: Exception) -> str:
    """Exceptions of the library have names and mostly no text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def point(encoded: bytes) -> bytes:
    """The 65 bytes of an uncompressed point, from the octet string that most tokens wrap it in."""
    raw = encoded[2:] if len(encoded) == 67 and encoded[:2] == b"\x04\x41" else encoded
    if len(raw) != 65 or raw[0] != 4:
        raise ConfigError("the token's public key is not an uncompressed point")
    return raw


def make(place: TokenKey, pin: bytes, curve: str) -> None:
    """Make a key pair on the token, of which the private half cannot leave it."""
    pkcs11 = library()

    def generate() -> None:
        session = login(pkcs11, place, find(pkcs11, place), pin, by_hand=True)
        try:
            _generate(pkcs11, session, place, curve)
        finally:
            session.close()

    try:
        Worker(str(place), 6 * CALL_S).call(generate)  # some cards take half a minute
    except pkcs11.PKCS11Error as error:
        raise ConfigError(f"{place}: the token makes no {_CURVES[curve]} key: {said(error)}")


def _generate(pkcs11: ModuleType, session: Any, place: TokenKey, curve: str) -> None:
    attribute = pkcs11.Attribute
    wanted = {attribute.LABEL: place.object} if place.object else {attribute.ID: place.id}
    if next(iter(session.get_objects(wanted)), None) is not None:
        raise ConfigError(f"{place}: exists already; a key is never overwritten, choose another name")
    session.create_domain_parameters(
        pkcs11.KeyType.EC, {attribute.EC_PARAMS: bytes.fromhex(curve)}, local=True
    ).generate_keypair(
        store=True,
        label=place.object or None,
        id=place.id or None,
        private_template={attribute.SENSITIVE: True, attribute.EXTRACTABLE: False},
    )
