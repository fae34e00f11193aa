"""Give an account a database, or its database another password."""

from __future__ import annotations

from typing import Any, Literal

from ceo_common.errors import BackendDown, CeoError, Exists, Invalid, NotFound, OutcomeUnknown, WrongState
from ceod.operations.accounts import undone
from ceod.operations.private import Private, ThisRun
from ceod.services import mysql, postgresql
from ceod.services.all import Services
from ceod.transaction.step import Json, Later, Operation, Step, Turn, Undone

Kind = Literal["mysql", "postgresql"]
KINDS: tuple[Kind, ...] = ("mysql", "postgresql")
TITLES: dict[str, str] = {"mysql": "MySQL", "postgresql": "PostgreSQL"}
_RESERVED: dict[Kind, frozenset[str]] = {"mysql": mysql.RESERVED, "postgresql": postgresql.RESERVED}


def server(tools: Services, kind: Kind) -> mysql.MySql | postgresql.PostgreSql:
    """The server of a kind, on the host that has it."""
    found = tools.mysql if kind == "mysql" else tools.postgresql
    assert found is not None
    return found


def check_free(tools: Services, kind: Kind, uid: str) -> None:
    """Raises Invalid (a name that the server keeps for itself), Exists, WrongState (half of it is there), BackendDown."""
    if _is_there(tools, kind, uid):
        raise Exists(f"{uid} has a {TITLES[kind]} database already; for another password: ceo {kind} pwreset {uid}", uid=uid)


def check_there(tools: Services, kind: Kind, uid: str) -> None:
    """Raises Invalid (a name that the server keeps for itself), NotFound, WrongState (half of it is there), BackendDown."""
    if not _is_there(tools, kind, uid):
        raise NotFound(f"{uid} has no {TITLES[kind]} database yet: ceo {kind} create {uid}")


def _is_there(tools: Services, kind: Kind, uid: str) -> bool:
    ours = {server(tools, kind).settings.user} | ({tools.config.library.database} if kind == "postgresql" else set())
    if uid in _RESERVED[kind] | ours or (kind == "postgresql" and uid.startswith("pg_")):
        message = f"{TITLES[kind]} keeps the name {uid} for itself, so that account can't have a database there"
        raise Invalid(message, problems=[{"field": "uid", "message": message}])
    parts = server(tools, kind).parts(uid)
    if len(parts) == 1:
        raise WrongState(f"{TITLES[kind]} has half of what makes a database of {uid}, a {parts.pop()} of that name: ask the systems committee")
    return bool(parts)


def _mark(transaction: str) -> str:
    return f"ceo transaction {transaction}"


class _OfAccount(Step[Services, Private]):
    def intent(self, run: ThisRun) -> Json:
        """Whose; ours is what bears our transaction's id."""
        return {"name": run.arguments["uid"]}


class MySqlDatabase(_OfAccount):
    """The database; what it is marked with tells the user beside it too."""

    name = "MySQL database"

    def do(self, run: ThisRun) -> None:
        """Create it."""
        assert run.tools.mysql
        run.tools.mysql.create_database(run.arguments["uid"], _mark(run.transaction))

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Drop it, if it is ours."""
        assert tools.mysql
        return undone([tools.mysql.drop_database_if(intent["name"], _mark(transaction))])


class MySqlUser(_OfAccount):
    """The user, with the database and nothing else."""

    name = "MySQL user"

    def do(self, run: ThisRun) -> None:
        """Create them."""
        assert run.tools.mysql
        uid = run.arguments["uid"]
        try:
            run.tools.mysql.create_user(uid, run.private.passwords[uid])
        except Exists:
            run.note(there_before=True)
            raise

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Drop them, if the database is ours and they were not there before: a user bears no mark."""
        assert tools.mysql
        if intent.get("there_before"):
            return Undone.NOT_OURS
        return undone([tools.mysql.drop_user_if(intent["name"], _mark(transaction))])


class PostgreSqlRole(_OfAccount):
    """The role."""

    name = "PostgreSQL role"

    def do(self, run: ThisRun) -> None:
        """Create it."""
        assert run.tools.postgresql
        uid = run.arguments["uid"]
        run.tools.postgresql.create_role(uid, run.private.passwords[uid], _mark(run.transaction))

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Drop it, if it is ours."""
        assert tools.postgresql
        return undone([tools.postgresql.drop_role_if(intent["name"], _mark(transaction))])


class PostgreSqlDatabase(_OfAccount):
    """The role's database."""

    name = "PostgreSQL database"

    def do(self, run: ThisRun) -> None:
        """Create it."""
        assert run.tools.postgresql
        run.tools.postgresql.create_database(run.arguments["uid"])

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """Drop it, if the role that owns it is ours."""
        assert tools.postgresql
        return undone([tools.postgresql.drop_database_if(intent["name"], _mark(transaction))])


class SetPassword(_OfAccount):
    """Another password: the old one can't be brought back, so this has no undo."""

    name = "password"
    undoable = False

    def do(self, run: ThisRun) -> None:
        """Set it."""
        uid, kind = run.arguments["uid"], run.arguments["kind"]
        try:
            server(run.tools, kind).set_password(uid, run.private.passwords[uid])
        except BackendDown as error:
            message = f"{error.message}; whether the old password still works is not known, so ask again: ceo {kind} pwreset {uid}"
            raise BackendDown(message, backend=error.backend) from None

    def undo(self, transaction: str, intent: Json, tools: Services) -> Undone:
        """If the new password was set it is known to nobody: the next reset puts that right."""
        return Undone.NOT_OURS


_NOT_KNOWN = "not known whether it was written"


class WriteInfoFile(Later[Services]):
    """The file in the account's home that says how to reach the database: while the password is in memory, or not at all."""

    name = "info file"
    deadline_s = 15

    def do(self, turn: Turn[Services]) -> None:
        """By way of the admin host; when that can't, the result says so and what to do."""
        uid, hint = turn.facts["uid"], f"for the file: ceo {turn.facts['kind']} pwreset {turn.facts['uid']}"
        if turn.private is None:
            if not turn.facts.get("info_file"):  # ceod ended when it was written, and noted, already
                turn.note(info_file=None, info_file_problem=f"{_NOT_KNOWN} (ceod ended meanwhile; {hint})")
            return
        try:
            told = turn.tools.peers.write_database_info(uid, info(turn.facts, turn.private.passwords[uid]))
            turn.note(info_file=told["path"], info_file_problem=None)
        except CeoError as error:
            outcome = _NOT_KNOWN if isinstance(error, OutcomeUnknown) else "not written"
            turn.note(info_file=None, info_file_problem=f"{outcome} ({turn.tools.config.hosts.admin}: {error.message}; {hint})")


def info(facts: Json, password: str) -> Json:
    """What one needs to reach the database."""
    return {"kind": facts["kind"], "host": facts["host"], "database": facts["uid"], "username": facts["uid"], "password": password}


def _result(facts: Json) -> Json:
    written = facts.get("info_file")
    warnings = [] if written else [f"info_file: {facts.get('info_file_problem')}"]
    return info(facts, "") | {"uid": facts["uid"], "info_file": written, "warnings": warnings, "password": None, "password_lost": True}


def _secrets(private: Any) -> Json:
    (password,) = private.passwords.values()
    return {"password": password, "password_lost": False}


def _operation(name: str, *before: Step[Services, Private]) -> Operation[Services, Private]:
    # Bulk, for the private part alone: the info file is written with the password or not at all.
    return Operation(name=name, version=1, before=before, after=(WriteInfoFile(),), bulk=True, result=_result, secrets=_secrets)


CREATE: dict[Kind, Operation[Services, Private]] = {
    "mysql": _operation("create_mysql_database", MySqlDatabase(), MySqlUser()),
    "postgresql": _operation("create_postgresql_database", PostgreSqlRole(), PostgreSqlDatabase()),
}
RESET: dict[Kind, Operation[Services, Private]] = {
    "mysql": _operation("reset_mysql_password", SetPassword()),
    "postgresql": _operation("reset_postgresql_password", SetPassword()),
}
