"""HTTPS, with a certificate of its own."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from api_support import PREFIX, served
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from evalbox.domain.access import Scope


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for 127.0.0.1 and its key, in PEM."""
    directory = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evalbox")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(directory / "cert.pem"), str(directory / "key.pem")


def trusting(certificate: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def test_https(tmp_path: Path, certificate: tuple[str, str]) -> None:
    cert, key = certificate
    async with served(tmp_path / "box", tls_cert=cert, tls_key=key) as box:
        shown = {"Authorization": f"Bearer {await box.key(Scope.READ)}"}
        url = f"https://127.0.0.1:{box.port}{PREFIX}/queue"
        async with httpx.AsyncClient(verify=trusting(cert), headers=shown) as client:
            assert (await client.get(url)).is_success
        async with httpx.AsyncClient(headers=shown) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)
        # Who speaks HTTP there learns nothing, and sends no second request.
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.HTTPError):
                await client.get(url.replace("https", "http"))


@pytest.mark.parametrize(
    ("version", "ciphers", "accepted"),
    [
        (ssl.TLSVersion.TLSv1_3, "", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+CHACHA20", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA", False),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "AECDH-AES128-SHA:@SECLEVEL=0", False),
    ],
)
async def test_only_sound_ciphers(
    tmp_path: Path,
    certificate: tuple[str, str],
    version: ssl.TLSVersion,
    ciphers: str,
    accepted: bool,
) -> None:
    cert, key = certificate
    context = trusting(cert)
    context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    async with served(tmp_path / "box", tls_cert=cert, tls_key=key) as box:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", box.port, ssl=context)
        except (ssl.SSLError, OSError):
            assert not accepted
        else:
            assert accepted
            writer.close()
