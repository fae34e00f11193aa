"""The one error family that crosses the wire: class, stable code, HTTP status and exit status in one place."""

from __future__ import annotations

from typing import Any, ClassVar


class CeoError(Exception):
    """Something that a person or program is told.  `message` is a sentence that says what to do; `more` holds stable extra keys."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 70

    def __init__(self, message: str = "", *, problems: list[dict[str, str]] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems or []
        self.more = more

    def as_json(self) -> dict[str, Any]:
        """The error's form on the wire."""
        return {"error": self.message, "code": self.code, "problems": self.problems, **self.more}


class Internal(CeoError):
    """An unexpected error, which the server logs in full under an id."""


class Invalid(CeoError):
    """The request is malformed; every problem is listed."""

    code, status, exit_status = "invalid", 400, 65


class Unauthenticated(CeoError):
    """No ticket, or one that ceod does not accept."""

    code, status, exit_status = "unauthenticated", 401, 77


class Forbidden(CeoError):
    """The caller may not do this; the rule is named."""

    code, status, exit_status = "forbidden", 403, 77


class InactiveCaller(CeoError):
    """The caller's own account is expired, deleted or not there."""

    code, status, exit_status = "inactive_caller", 403, 77


class DelegationRequired(CeoError):
    """A write without the caller's forwarded ticket."""

    code, status, exit_status = "delegation_required", 403, 77


class DelegationMismatch(CeoError):
    """A forwarded ticket that is not the caller's, or not usable."""

    code, status, exit_status = "delegation_mismatch", 403, 77


class NotFound(CeoError):
    """There is no such account, group, book or other thing."""

    code, status, exit_status = "not_found", 404, 66


class Exists(CeoError):
    """The name is taken; the text says by what."""

    code, status, exit_status = "exists", 409, 73


class Changed(CeoError):
    """Somebody else changed it meanwhile, or it is in a state that does not allow this."""

    code, status, exit_status = "changed", 409, 73


class WouldLose(CeoError):
    """The change would remove something that somebody wrote by hand: `lost` lists it."""

    code, status, exit_status = "would_lose", 409, 73


class Overtaken(CeoError):
    """A later request said the opposite, so what waited is not done any more."""

    code, status, exit_status = "overtaken", 409, 73


class Deleted(CeoError):
    """The account was deleted and is kept: restore it."""

    code, status, exit_status = "deleted_account", 409, 73


class LeftBehind(CeoError):
    """Something still refers to the name of a deleted account."""

    code, status, exit_status = "left_behind", 409, 73


class Busy(CeoError):
    """Another transaction holds the name; it says how long to wait."""

    code, status, exit_status = "busy", 409, 75


class InRecovery(CeoError):
    """The name belongs to a transaction that is still being undone or ended."""

    code, status, exit_status = "in_recovery", 409, 75


class WrongState(CeoError):
    """A transaction that can't be resumed or abandoned in its present state."""

    code, status, exit_status = "wrong_state", 409, 73


class BrokenEntry(CeoError):
    """What somebody wrote into the directory can't be an account or a group; `faults` lists why."""

    code, status, exit_status = "broken_entry", 409, 65


class TooSlow(CeoError):
    """A request that did not arrive completely in time."""

    code, status, exit_status = "too_slow", 408, 75


class TooMany(CeoError):
    """Too many requests at once, or too many changes in an hour; it says how long to wait."""

    code, status, exit_status = "too_many", 429, 75


class TooLarge(CeoError):
    """A body above the limit."""

    code, status, exit_status = "too_large", 413, 65


class WrongHost(CeoError):
    """Another host serves this."""

    code, status, exit_status = "wrong_host", 421, 78


class KeyReused(CeoError):
    """An Idempotency-Key that was used before with another body."""

    code, status, exit_status = "key_reused", 422, 65


class HeaderTooLarge(CeoError):
    """A header above the limit."""

    code, status, exit_status = "header_too_large", 431, 65


class BackendDown(CeoError):
    """A server that ceod needs does not answer; `backend` names it."""

    code, status, exit_status = "backend_down", 503, 75

    @property
    def backend(self) -> str:
        """Which one."""
        return str(self.more.get("backend", "unknown"))


class JournalFull(CeoError):
    """ceod can't record a new transaction; it refuses rather than act unrecorded."""

    code, status, exit_status = "journal_full", 503, 75


class JournalUntrusted(CeoError):
    """ceod's journal is not the one it wrote last, or damaged: `reason` says which.  It acts upon nothing in it."""

    code, status, exit_status = "journal_untrusted", 503, 75


class Aborted(CeoError):
    """A transaction that was undone (the client's view of a stream's last line)."""

    code, status, exit_status = "aborted", 500, 1


class OutcomeUnknown(CeoError):
    """The stream ended without its last line: look with ceo transactions show."""

    code, status, exit_status = "outcome_unknown", 500, 74


class Unreachable(CeoError):
    """The client could not reach or not trust a host."""

    code, status, exit_status = "unreachable", 503, 69


def _family(base: type[CeoError]) -> dict[str, type[CeoError]]:
    return {cls.code: cls for cls in base.__subclasses__()}


BY_CODE: dict[str, type[CeoError]] = {"internal": Internal, **_family(CeoError)}


def from_json(told: dict[str, Any]) -> CeoError:
    """The exception that a server's error body stands for; an unknown code is an Internal."""
    more = {name: value for name, value in told.items() if name not in ("error", "code", "problems")}
    problems = [p for p in told.get("problems") or [] if isinstance(p, dict)]
    return BY_CODE.get(str(told.get("code")), Internal)(str(told.get("error", "")), problems=problems, **more)
