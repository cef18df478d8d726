"""Taking in new evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, InputFile
from evalbox.domain.ids import short
from evalbox.domain.state import State
from evalbox.errors import Conflict, FileMissing, InvalidInput
from evalbox.store.blobs import Blobs
from evalbox.store.codec import decode_spec, encode_spec
from evalbox.store.environments import open_environment, seal_environment
from evalbox.store.events import add_event
from evalbox.store.lanes import Lane, lane_id
from evalbox.store.rows import EVALUATION, evaluation_from
from evalbox.store.sqlite import Connection


class Submission(Blobs):
    async def submit(self, specs: Sequence[EvaluationSpec], now: float) -> list[Evaluation]:
        """Queues evaluations, all or none, and returns them in the order of ``specs``.

        One whose idempotency key is known already is not queued again: the earlier evaluation is
        returned in its place. Raises ``Conflict`` where the key stands for something else,
        ``FileMissing`` where a blob has not been put, ``InvalidInput`` for text that is not UTF-8.
        """
        for spec in specs:
            check_spec(spec)
        encoded = [(spec, encode_spec(spec)) for spec in specs]

        def work(conn: Connection) -> list[Evaluation]:
            # The blobs' collector deletes inside a transaction too, so what is here stays here.
            self._check_blobs(specs)
            lanes: dict[Lane, int] = {}
            return [
                self._earlier(conn, spec) or self._insert(conn, spec, body, now, lanes)
                for spec, body in encoded
            ]

        return await self._write(work)

    def _check_blobs(self, specs: Sequence[EvaluationSpec]) -> None:
        self.check_there(file for spec in specs for file in spec.files())

    def check_there(self, files: Iterable[InputFile]) -> None:
        """Raises ``FileMissing`` where the content of one has not been put."""
        seen: set[str] = set()
        for file in files:
            if file.blob not in seen and not self.blob_path(file.blob).is_file():
                raise FileMissing(
                    f"the content of {file.path} is not in the store (blob {file.blob[:12]})",
                    hint="put it in again, then submit",
                )
            seen.add(file.blob)

    def _insert(
        self,
        conn: Connection,
        spec: EvaluationSpec,
        body: str,
        now: float,
        lanes: dict[Lane, int],
    ) -> Evaluation:
        identifier = self._ids.new(now)
        ready = spec.not_before is None or spec.not_before <= now
        conn.execute(
            "INSERT INTO evaluations (id, short, lane, batch, name, engine, priority, state,"
            " ready, created_at, updated_at, not_before, idempotency_key)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?)",
            (
                identifier,
                short(identifier),
                _lane(conn, spec, now, lanes),
                spec.batch,
                spec.name,
                spec.engine,
                int(spec.priority),
                int(ready),
                now,
                now,
                spec.not_before,
                spec.idempotency_key,
            ),
        )
        conn.execute("INSERT INTO specs VALUES (?, ?)", (identifier, body))
        if spec.env:
            seal_environment(conn, self.vault, identifier, spec.env)
        if spec.labels:
            conn.executemany(
                "INSERT INTO labels VALUES (?, ?, ?)",
                [(identifier, key, value) for key, value in spec.labels.items()],
            )
        if blobs := {file.blob for file in spec.files()}:
            conn.executemany(
                "INSERT INTO inputs VALUES (?, ?)", [(identifier, blob) for blob in blobs]
            )
        add_event(
            conn,
            "evaluation.queued",
            now,
            evaluation_id=identifier,
            batch=spec.batch,
            data={"name": spec.name},
        )
        return Evaluation(
            id=identifier,
            spec=replace(spec, env=Withheld(spec.env)) if spec.env else spec,
            state=State.QUEUED,
            created_at=now,
            updated_at=now,
            not_before=spec.not_before,
        )

    def _earlier(self, conn: Connection, spec: EvaluationSpec) -> Evaluation | None:
        if spec.idempotency_key is None:
            return None
        row = conn.execute(
            f"SELECT {EVALUATION}, (SELECT body FROM specs WHERE evaluation_id = evaluations.id)"
            " FROM evaluations WHERE idempotency_key = ?",
            (spec.idempotency_key,),
        ).fetchone()
        if row is None:
            return None
        earlier = evaluation_from(row)
        # As it was asked for: its priority may have been changed since.
        same = _comparable(decode_spec(row[-1])) == _comparable(spec)
        if not same or open_environment(conn, self.vault, earlier.id) != dict(spec.env):
            raise Conflict(
                f"idempotency key {spec.idempotency_key!r} was used for something else, in"
                f" {earlier.short_id}",
                hint="use another key, or submit exactly what was submitted then",
            )
        return earlier


def _comparable(spec: EvaluationSpec) -> EvaluationSpec:
    # A delay is counted from each submission, so it differs where all else is the same.
    return replace(spec, not_before=None, env={})


def _lane(conn: Connection, spec: EvaluationSpec, now: float, known: dict[Lane, int]) -> int:
    lane = Lane.of(spec)
    if lane not in known:
        if spec.batch is not None:
            add_batch(conn, spec.batch, now)
        known[lane] = lane_id(conn, lane)
    return known[lane]


def add_batch(conn: Connection, name: str, now: float) -> None:
    """Creates a batch where there is none of that name."""
    conn.execute(
        "INSERT INTO batches (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, now)
    )


def check_text(text: str, field: str) -> None:
    """Raises ``InvalidInput`` for text that cannot be stored and searched."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(
            f"{field}: {text!r} is not valid UTF-8", hint="use another name", field=field
        ) from None
    if "\0" in text:
        raise InvalidInput(f"{field}: {text!r} holds a NUL character", field=field)


def check_spec(spec: EvaluationSpec) -> None:
    """Raises ``InvalidInput`` for what cannot be stored and searched."""
    check_text(spec.name, "name")
    check_text(spec.engine, "engine")
    if spec.batch is not None:
        check_text(spec.batch, "batch")
        if not spec.batch:
            raise InvalidInput("batch: the name is empty", field="batch")
    if spec.idempotency_key is not None:
        check_text(spec.idempotency_key, "idempotency_key")
    for key, value in spec.labels.items():
        check_text(key, "label")
        check_text(value, "label")
    if spec.not_before is not None and not math.isfinite(spec.not_before):
        raise InvalidInput(f"not_before: {spec.not_before} is not a time", field="not_before")
