"""What the refusals and silences of a Docker engine mean to evalbox."""

from __future__ import annotations

from evalbox.errors import (
    EngineError,
    EngineUnavailable,
    EvalboxError,
    ImageNotFound,
    InvalidInput,
    SandboxGone,
)

RUNTIME_REMEDY = "install gVisor and register its runtimes: packaging/quickstart.sh does both"
#: HTTP statuses: of what is not there, and of what cannot be done in the state that it is in.
NOT_FOUND = 404
CONFLICT = 409
_RUNTIME_SIGNS = (
    "unknown runtime",
    "unknown or invalid runtime",
    "oci runtime create failed",
    "oci runtime start failed",
    "failed to create shim",
    "failed to start shim",
    "cannot run with network enabled",
)


class Refused(EngineError):
    """The engine's answer was an error. ``status`` is that of HTTP: 409 for a conflict."""

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


def translated(error: Exception) -> EvalboxError:
    """What an error of docker-py, requests or urllib3 means."""
    from docker.errors import APIError

    if isinstance(error, APIError) and error.response is not None:
        return refusal(error.response.status_code, str(error.explanation or error))
    return unreachable(error)


def refusal(status: int, message: str) -> EvalboxError:
    """What an answer with the HTTP ``status`` and the engine's ``message`` means."""
    said = message.lower()
    if status == NOT_FOUND and "no such container" in said:
        return SandboxGone(f"the sandbox exists no longer ({message})")
    if status == NOT_FOUND and "no such exec" in said:
        return SandboxGone(f"the sandbox has ended ({message})")
    if status == NOT_FOUND and "could not find the file" in said:
        return Refused(message, status=status)
    if "no such image" in said or (status == NOT_FOUND and "image" in said):
        return ImageNotFound(message, hint="list what is there: evalbox images list")
    if "no space left on device" in said:
        hint = "free disk space where Docker keeps its data"
        return Refused(f"the Docker engine has no space left: {message}", status=status, hint=hint)
    if '"/bin/sh"' in said:
        hint = "use an image with a working /bin/sh"
        return InvalidInput(f"the image's /bin/sh fails: {message}", hint=hint, field="image")
    if any(sign in said for sign in _RUNTIME_SIGNS):
        return EngineUnavailable(f"the runtime does not start: {message}", hint=RUNTIME_REMEDY)
    return Refused(f"the Docker engine refused: {message}", status=status)


def unreachable(error: BaseException) -> EngineUnavailable:
    """Nothing answers, or no more."""
    cause = _cause(error)
    if isinstance(cause, PermissionError):
        return EngineUnavailable(
            "this user may not talk to the Docker engine",
            hint="add the user to the group docker and log in again, or run evalbox as root",
        )
    reason = (isinstance(cause, OSError) and cause.strerror) or str(cause) or type(cause).__name__
    return EngineUnavailable(
        f"the Docker engine does not answer: {reason}",
        hint="start it (systemctl start docker), or set DOCKER_HOST to where it listens",
    )


def _cause(error: BaseException) -> BaseException:
    """The error of the system at the bottom of a pile of libraries' own; else the uppermost."""
    seen: list[BaseException] = [error]
    for one in seen:
        if isinstance(one, OSError) and one.errno is not None:
            return one
        below = (one.__cause__, one.__context__, *one.args, getattr(one, "reason", None))
        seen += [item for item in below if isinstance(item, BaseException) and item not in seen]
    return error
