"""Secrets at rest: encrypted with a key that lies beside the database, and not in it.

Copies of the database alone tell no secrets: a query, a dump, a support bundle. Whoever can read
the whole data directory can read them.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from evalbox.errors import StoreError
from evalbox.store.files import sync_directory, translate_os

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_KEY = "secret.key"  # noqa: S105 - the name of a file
_KEY_BYTES = 32
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_FORMAT = b"\x01"
_HEADER = len(_FORMAT) + _KEY_ID_BYTES + _NONCE_BYTES


class Vault:
    """Seals bytes with AES-256-GCM. Safe to use from several threads; blocks on first use.

    ``context`` says what the bytes belong to; they open in the same context only, so that one
    secret cannot be put in the place of another. The key is made with the first sealing.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / SECRET_KEY
        self._lock = threading.Lock()
        self._cipher: AESGCM | None = None
        self._key_id = b""

    def seal(self, data: bytes, context: str) -> bytes:
        """Raises ``StoreError``."""
        cipher = self._loaded(create=True)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = cipher.encrypt(nonce, data, context.encode())
        return _FORMAT + self._key_id + nonce + sealed

    def open(self, sealed: bytes, context: str) -> bytes:
        """Raises ``StoreError`` where the key is missing or another, or the bytes are not sound."""
        from cryptography.exceptions import InvalidTag

        cipher = self._loaded(create=False)
        key_id = sealed[len(_FORMAT) : len(_FORMAT) + _KEY_ID_BYTES]
        if key_id != self._key_id:
            raise StoreError(
                f"a secret was sealed with another key than {self._path}",
                hint="bring back the key it was sealed with, from a backup, or submit it anew",
            )
        nonce = sealed[_HEADER - _NONCE_BYTES : _HEADER]
        try:
            return cipher.decrypt(nonce, sealed[_HEADER:], context.encode())
        except (InvalidTag, ValueError):
            raise StoreError(
                "a sealed secret is damaged, or belongs to something else",
                hint="bring back a backup, or submit it anew",
            ) from None

    def _loaded(self, *, create: bool) -> AESGCM:
        with self._lock:
            if self._cipher is None:
                from cryptography.hazmat.primitives.ciphers.aead import AESGCM

                key = self._read(create=create)
                self._key_id = hashlib.sha256(b"evalbox key id\0" + key).digest()[:_KEY_ID_BYTES]
                self._cipher = AESGCM(key)
            return self._cipher

    def _read(self, *, create: bool) -> bytes:
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            if not create:
                raise StoreError(
                    f"{self._path} is missing, and with it what was sealed with it",
                    hint="bring it back from a backup, or submit the secrets anew",
                ) from None
            self._make()
            return self._read(create=False)
        except OSError as error:
            raise translate_os(error, self._path) from error
        if len(key) != _KEY_BYTES:
            raise StoreError(
                f"{self._path} does not hold a key of {_KEY_BYTES} bytes",
                hint="bring it back from a backup",
            )
        return key

    def _make(self) -> None:
        """Several processes may do so at once: the first one's key is everybody's."""
        part = self._path.with_name(f".{SECRET_KEY}.{secrets.token_hex(4)}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(secrets.token_bytes(_KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                self._path.hardlink_to(part)
            except FileExistsError:
                return
            finally:
                part.unlink()
            sync_directory(self._path.parent)
        except OSError as error:
            raise translate_os(error, self._path) from error
