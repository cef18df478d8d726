"""Every error that evalbox raises on purpose.

An error says what happened (``message``), what the user can do about it (``hint``), and carries a
``code`` that stays the same from release to release, so that scripts and other front ends can
depend on it. Front ends map the classes to exit statuses, HTTP statuses and dialogs, each in one
place; nothing below them knows about those.

The tree::

    EvalboxError
    ├── InvalidInput            what was asked for cannot be: a limit of 0, an unknown language
    │   └── InvalidTransition   not in this state: cancelling what has ended
    ├── NotFound                no such evaluation, batch, file, image
    │   ├── EvaluationNotFound
    │   ├── BatchNotFound
    │   ├── ArtifactNotFound
    │   ├── FileMissing
    │   ├── ImageNotFound
    │   ├── SandboxNotFound
    │   ├── KeyNotFound
    │   └── WebhookNotFound
    ├── AmbiguousId             a short id that several evaluations share
    ├── Conflict                the idempotency key was used for something else, a name is taken
    ├── TooLarge                more bytes than are taken in at once
    ├── Busy                    no room for it now; ``retry_after`` seconds may help
    │   └── RateLimited         too many requests from one caller
    ├── Unauthenticated         no key, or none that is valid
    ├── Forbidden               a valid key, but not of the scope that this needs
    ├── ConfigError             a setting that cannot be read or used
    ├── EngineError             the container engine; the evaluation is not to blame
    │   ├── EngineUnavailable   nothing answers, or the runtime asked for does not start
    │   ├── SandboxGone         the sandbox that was talked to exists no longer
    │   └── ImageBuildError
    ├── TaskError               the task's own set-up or scoring broke
    ├── ServiceError            the box that was asked over HTTP failed
    │   └── ServiceUnreachable  nothing answers at its address, or it went away
    └── StoreError              the database and the files beside it
        ├── StoreLocked         another process owns the data directory
        ├── StoreCorrupt
        ├── StoreTooNew         written by a newer evalbox
        ├── StoreFull           no space left for what must be written
        └── StoreReadOnly
"""

from __future__ import annotations


class EvalboxError(Exception):
    """What happened, and what the user can do.

    ``message`` is one line in plain words that names the thing; ``hint`` is one line with the
    remedy, or empty where there is none.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(EvalboxError):
    """``field`` names the option or field at fault, in the user's words, where there is one."""

    code = "invalid_input"

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class InvalidTransition(InvalidInput):
    code = "invalid_transition"


class NotFound(EvalboxError):
    code = "not_found"


class EvaluationNotFound(NotFound):
    code = "evaluation_not_found"


class BatchNotFound(NotFound):
    code = "batch_not_found"


class ArtifactNotFound(NotFound):
    code = "artifact_not_found"


class FileMissing(NotFound):
    code = "file_missing"


class ImageNotFound(NotFound):
    code = "image_not_found"


class SandboxNotFound(NotFound):
    code = "sandbox_not_found"


class KeyNotFound(NotFound):
    code = "key_not_found"


class WebhookNotFound(NotFound):
    code = "webhook_not_found"


class AmbiguousId(EvalboxError):
    """``candidates`` are the full ids that the given one may stand for."""

    code = "ambiguous_id"

    def __init__(self, message: str, *, candidates: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.candidates = candidates


class Conflict(EvalboxError):
    code = "conflict"


class TooLarge(EvalboxError):
    code = "too_large"


class Busy(EvalboxError):
    """``retry_after`` is in seconds."""

    code = "busy"

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 1.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class RateLimited(Busy):
    code = "rate_limited"


class Unauthenticated(EvalboxError):
    code = "unauthenticated"


class Forbidden(EvalboxError):
    code = "forbidden"


class ConfigError(EvalboxError):
    code = "config_error"


class EngineError(EvalboxError):
    code = "engine_error"


class EngineUnavailable(EngineError):
    code = "engine_unavailable"


class SandboxGone(EngineError):
    code = "sandbox_gone"


class ImageBuildError(EngineError):
    code = "image_build_error"


class TaskError(EvalboxError):
    code = "task_error"


class ServiceError(EvalboxError):
    code = "service_error"


class ServiceUnreachable(ServiceError):
    """``begun``: it may have done what it was asked for."""

    code = "service_unreachable"

    def __init__(self, message: str, *, hint: str = "", begun: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.begun = begun


class StoreError(EvalboxError):
    code = "store_error"


class StoreLocked(StoreError):
    code = "store_locked"


class StoreCorrupt(StoreError):
    code = "store_corrupt"


class StoreTooNew(StoreError):
    code = "store_too_new"


class StoreFull(StoreError):
    code = "store_full"


class StoreReadOnly(StoreError):
    code = "store_read_only"
