"""Brings a database to the newest schema: numbered ``.sql`` files on ``PRAGMA user_version``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from evalbox.errors import StoreCorrupt, StoreTooNew
from evalbox.store.sqlite import Connection, complete_statement

#: "evbx": tells a database of evalbox from any other.
APPLICATION_ID = 0x65766278


@cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Number and text of every migration, in order, counted from 1 without a gap."""
    folder = resources.files("evalbox.store") / "migrations"
    found = sorted(
        (int(entry.name.split("_")[0]), entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    )
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise AssertionError("migrations are numbered from 1 without a gap")
    return tuple(found)


def newest() -> int:
    """The version of the schema that this evalbox writes."""
    return len(migrations())


def check(connection: Connection, database: Path) -> int:
    """The version of the schema, 0 for a fresh database.

    Raises ``StoreTooNew`` and ``StoreCorrupt``, and SQLite's own errors.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > newest():
        raise StoreTooNew(
            f"{database} has schema version {version}, and this evalbox knows up to {newest()}",
            hint="use the evalbox that wrote it, or a newer one",
        )
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and identity != APPLICATION_ID:
        raise StoreCorrupt(
            f"{database} is a database, but not one of evalbox",
            hint="choose another data directory, or move that file aside",
        )
    return version


def migrate(connection: Connection, database: Path) -> None:
    """Applies what is missing, each migration in a transaction of its own.

    Several processes may do so at once. Raises as ``check`` does.
    """
    if check(connection, database) == newest():
        return
    for number, text in migrations():
        connection.execute("BEGIN IMMEDIATE")
        try:
            if check(connection, database) < number:
                for statement in _statements(text):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _statements(text: str) -> Iterator[str]:
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise AssertionError(f"a migration ends in the middle of a statement: {statement[:60]!r}")
