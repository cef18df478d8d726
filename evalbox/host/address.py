"""Where a service may listen for TCP."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_address
from urllib.parse import urlsplit

from evalbox.config.settings import Settings
from evalbox.errors import ConfigError


def check_tls(settings: Settings) -> None:
    """Raises ``ConfigError`` where the certificate or its key cannot be used."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise ConfigError(
            "a certificate and its key go together", hint="give both --tls-cert and --tls-key"
        )
    if not settings.tls_cert:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key that is encrypted must not make a service ask for a password.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=lambda: b"")
    except OSError as error:
        bad = isinstance(error, ssl.SSLError)
        reason = "they are no pair in PEM" if bad else (error.strerror or str(error)).lower()
        raise ConfigError(
            f"the certificate {settings.tls_cert} with the key {settings.tls_key} cannot be used: "
            f"{reason}",
            hint="both are files in PEM, the key without a password",
        ) from error


def resolved(host: str) -> str:
    """The address of this machine that ``host`` names. Raises ``ConfigError``."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"--host: {host!r} is no address of this machine", hint="give one like 127.0.0.1"
        ) from error
    return str(found[0][4][0])


def is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback


def leaves_in_clear(url: str) -> bool:
    """Whether what is sent to ``url`` can be read on its way to another machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost":
        return False
    try:
        return not is_loopback(host)
    except ValueError:
        return True


def url_of(address: str, port: int, *, tls: bool) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if tls else 'http'}://{host}:{port}"


def check_exposed(address: str, settings: Settings, *, keys: bool) -> None:
    """Refuses to be reached from other machines without TLS, and without a key for anybody."""
    if is_loopback(address):
        return
    if not (settings.tls_cert or settings.insecure):
        raise ConfigError(
            f"without TLS a key could be read on its way to {settings.host}",
            hint="give --tls-cert and --tls-key, or --insecure where a proxy has TLS",
        )
    if not keys:
        raise ConfigError(
            f"nobody could use the box on {settings.host}: it has no key",
            hint="make one first: evalbox keys create NAME --scope admin",
        )
