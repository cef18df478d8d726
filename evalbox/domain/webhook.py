"""Webhooks: who is told of what, by which address, and how a message is signed."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from evalbox.domain.outcome import Outcome
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import FINAL
from evalbox.errors import InvalidInput

#: Where PagerDuty takes events in.
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
SIGNATURE, DELIVERY, KIND = "EvalBox-Signature", "EvalBox-Delivery", "EvalBox-Event"
#: Seconds by which the time of a signature may differ from the receiver's.
TOLERANCE = 300.0
#: A failed delivery is tried again after 5 s, then twice as long each time up to an hour, the half
#: of it at random; not beyond a day after the event.
BACKOFF = RetryPolicy(base=5.0, factor=2.0, cap=3600.0)
KEEP_TRYING = 86400.0
MAX_WEBHOOKS = 50
_MAX_URL = 2048
_MIN_SECRET, _MAX_SECRET = 16, 200
_ROUTING_KEY = re.compile(r"[0-9A-Za-z]{32}")

#: Addresses of the whole world that a cloud answers itself, with what is not for everybody.
_CLOUD = frozenset({ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("192.0.0.192")})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Format(StrEnum):
    """How a message looks: evalbox's own, signed, or an event of PagerDuty's Events API v2."""

    EVALBOX = "evalbox"
    PAGERDUTY = "pagerduty"


class Topic(StrEnum):
    """What can be told: that an evaluation has ended, or all of a batch; an alert, and its end."""

    EVALUATION = "evaluation"
    BATCH = "batch"
    ALERT = "alert"


_KINDS: Mapping[str, Topic] = {
    **{f"evaluation.{state}": Topic.EVALUATION for state in FINAL},
    "batch.finished": Topic.BATCH,
    "alert.raised": Topic.ALERT,
    "alert.resolved": Topic.ALERT,
}


def topic_of(kind: str) -> Topic | None:
    """The topic that an event of this kind belongs to; None for those that no webhook tells."""
    return _KINDS.get(kind)


@dataclass(frozen=True, slots=True)
class Interest:
    """What a webhook tells. What is None or empty does not narrow it.

    ``outcomes`` and ``labels`` are about evaluations, ``batch`` about evaluations and batches.
    """

    topics: frozenset[Topic] = frozenset(Topic)
    outcomes: frozenset[Outcome] = frozenset()
    batch: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.topics:
            raise InvalidInput(
                "a webhook without a topic would tell nothing",
                hint=f"give one of {', '.join(Topic)}",
                field="topics",
            )

    def wants(
        self, topic: Topic, *, outcome: str | None, batch: str | None, labels: Mapping[str, str]
    ) -> bool:
        """``labels`` are the evaluation's."""
        if topic not in self.topics:
            return False
        if topic is Topic.ALERT:
            return True
        if self.batch is not None and batch != self.batch:
            return False
        if topic is Topic.BATCH:
            return True
        if self.outcomes and outcome not in self.outcomes:
            return False
        return all(labels.get(key) == value for key, value in self.labels.items())


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook without its secret. ``reason`` says why the box itself turned it off, if it did."""

    id: str
    url: str
    format: Format
    interest: Interest
    created_at: float
    active: bool = True
    reason: str = ""


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one webhook. Times are seconds since 1970.

    ``seq`` is the event's, 0 for a test. ``next_try`` is None once it has ended; ``status`` is what
    the receiver last answered, ``error`` why that was no success.
    """

    id: str
    webhook_id: str
    seq: int
    kind: str
    state: DeliveryState
    created_at: float
    attempts: int = 0
    next_try: float | None = None
    status: int | None = None
    error: str = ""
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try: ``status`` None where nothing was answered; ``error`` says why it is no
    success, and is empty where it is one.
    """

    status: int | None
    error: str


def next_try(delivery: Delivery, now: float, *, chance: float) -> float | None:
    """When a delivery that has just failed is tried again; None where that is never."""
    due = now + BACKOFF.delay(delivery.attempts + 1, chance=chance)
    return due if due - delivery.created_at <= KEEP_TRYING else None


def sign(secret: str, body: bytes, at: float) -> str:
    """The value of ``EvalBox-Signature`` for a message that is sent at ``at``."""
    return f"t={int(at)},v1={_mac(secret, int(at), body)}"


def is_signed(
    secret: str, signature: str, body: bytes, now: float, *, tolerance: float = TOLERANCE
) -> bool:
    """Whether a message is from who knows the secret, and of now. For receivers."""
    parts = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
    moment, given = parts.get("t", ""), parts.get("v1", "")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 15):
        return False
    same = hmac.compare_digest(_mac(secret, int(moment), body).encode(), given.encode())
    return same and abs(now - int(moment)) <= tolerance


def _mac(secret: str, moment: int, body: bytes) -> str:
    signed = str(moment).encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def check_secret(secret: str, kind: Format) -> None:
    """Raises ``InvalidInput``. The secret itself is not told."""
    if kind is Format.PAGERDUTY:
        if not _ROUTING_KEY.fullmatch(secret):
            raise InvalidInput(
                "the secret is not a routing key of PagerDuty",
                hint="give the integration key of 32 letters and digits, as PagerDuty shows it",
                field="secret",
            )
    elif not (_MIN_SECRET <= len(secret) <= _MAX_SECRET and secret.isprintable()):
        raise InvalidInput(
            "the secret is not usable",
            hint=f"give {_MIN_SECRET} to {_MAX_SECRET} characters that can be printed, or none",
            field="secret",
        )


def check_url(url: str, *, private: bool) -> None:
    """Raises ``InvalidInput`` for what cannot be the address of a receiver.

    ``private``: addresses that are not of the whole world are taken, too.
    """
    parts = urlsplit(_printable(url))
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise _refused(url, "give one that begins with https:// or http://")
    if parts.username is not None or parts.password is not None:
        named = url.rsplit("@", maxsplit=1)[-1]
        raise _refused(named, "put no user name into it: messages are signed")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    check_address(address, private=private)


def _printable(url: str) -> str:
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > _MAX_URL:
        raise _refused(url, f"give at most {_MAX_URL} characters of ASCII, without spaces")
    try:
        urlsplit(url)
    except ValueError:
        raise _refused(url, "give one that begins with https:// or http://") from None
    return url


def _refused(url: str, hint: str) -> InvalidInput:
    return InvalidInput(f"{url[:80]!r} cannot be the URL of a webhook", hint=hint, field="url")


def check_address(address: Address, *, private: bool) -> None:
    """Raises ``InvalidInput`` where nothing may be sent to an address.

    Without ``private`` only what is of the whole world is: no loopback, no private network, nothing
    local to the link (as the metadata of a cloud are), in none of their spellings.
    """
    if all(_is_public(one) for one in _spellings(address)):
        return
    if private and not any(one.is_multicast or one.is_unspecified for one in _spellings(address)):
        return
    raise InvalidInput(
        f"{address} is not an address of the public internet",
        hint="the owner of the box may allow it with the setting webhook_private",
        field="url",
    )


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and address not in _CLOUD


def _spellings(address: Address) -> list[Address]:
    """An address, and those of IPv4 that stand in it."""
    found: list[Address | None] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        found += [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]
