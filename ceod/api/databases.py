"""Databases of members and clubs: on the host that has the servers, and the file that tells of one, on the host that has the homes."""

from __future__ import annotations

import flask

from ceo_common.errors import Invalid
from ceo_common.model import names as name_rules
from ceo_common.model.database import AllDatabases, DatabaseInfo, Databases, Logins, LoginsTried, Written
from ceod.api.requests import answer, caller, ceod, parsed, route, transact
from ceod.auth import states
from ceod.operations import create_database
from ceod.operations.create_database import Kind
from ceod.operations.password import generate
from ceod.operations.private import Private
from ceod.services.entry import Person
from ceod.services.missing_names import no_account
from ceod.transaction.step import Json

blueprint = flask.Blueprint("databases", __name__)


@route(blueprint, "GET", "/db", role="database", operation="database.list", gives=AllDatabases)
def listed() -> flask.Response:
    """Every name that has a database or a user."""
    services = ceod().services
    found = {kind: create_database.server(services, kind).names() for kind in create_database.KINDS}
    return answer(AllDatabases(**found))


@route(blueprint, "GET", "/db/<uid>", role="database", operation="database.read", subject="uid", gives=Databases)
def get(uid: str) -> flask.Response:
    """Which databases an account has."""
    if name_rules.username_problem(uid):
        raise no_account(ceod().services.directory, uid)
    servers = {
        kind: create_database.server(ceod().services, kind) for kind in create_database.KINDS
    }
    there = {kind: bool(server.parts(uid)) for kind, server in servers.items()}
    # Our own hosts ask about those who are gone.
    directory = ceod().services.directory
    if not any(there.values()) and caller().host is None and directory.person_unchecked(uid) is None:
        raise no_account(ceod().services.directory, uid)
    unlimited = [
        kind for kind, server in servers.items() if there[kind] and server.is_unlimited(uid)
    ]
    return answer(Databases(uid=uid, **there, unlimited=unlimited))


@route(blueprint, "POST", "/db/mysql/<uid>", role="database", operation="database.change",
       states=states.OPEN, subject="uid", streams=True)
def create_mysql(uid: str) -> flask.Response:
    """Give an account a MySQL database."""
    return _create("mysql", uid)


@route(blueprint, "POST", "/db/postgresql/<uid>", role="database", operation="database.change",
       states=states.OPEN, subject="uid", streams=True)
def create_postgresql(uid: str) -> flask.Response:
    """Give an account a PostgreSQL database."""
    return _create("postgresql", uid)


@route(blueprint, "POST", "/db/mysql/<uid>/pwreset", role="database", operation="database.change",
       states=states.OPEN, subject="uid", streams=True)
def reset_mysql(uid: str) -> flask.Response:
    """Give a MySQL database another password."""
    return _reset("mysql", uid)


@route(blueprint, "POST", "/db/postgresql/<uid>/pwreset", role="database", operation="database.change",
       states=states.OPEN, subject="uid", streams=True)
def reset_postgresql(uid: str) -> flask.Response:
    """Give a PostgreSQL database another password."""
    return _reset("postgresql", uid)


@route(blueprint, "POST", "/db/<uid>/logins", role="database", operation="database.login",
       states=states.KEPT, takes=Logins, gives=LoginsTried, holds_password=True)
def try_logins(uid: str) -> flask.Response:
    """Check whether the passwords in the files of a home are right."""
    asked, services = parsed(Logins), ceod().services
    _account(uid)
    assert services.mysql
    assert services.postgresql
    mysql, postgresql = services.mysql, services.postgresql
    return answer(LoginsTried(
        mysql=None if asked.mysql is None else mysql.takes_password(uid, asked.mysql),
        postgresql=None if asked.postgresql is None else postgresql.takes_password(uid, asked.postgresql),
    ))


def _create(kind: Kind, uid: str) -> flask.Response:
    def prepare() -> Json:
        create_database.check_free(ceod().services, kind, uid)
        return _arguments(kind, uid)

    _account(uid)
    return transact(create_database.CREATE[kind], lambda: Private(passwords={uid: generate(5)}), subject=uid, names=(f"{kind}:{uid}",), told=None,
                    prepare=prepare)


def _reset(kind: Kind, uid: str) -> flask.Response:
    def prepare() -> Json:
        create_database.check_there(ceod().services, kind, uid)
        return _arguments(kind, uid)

    _account(uid)
    return transact(create_database.RESET[kind], lambda: Private(passwords={uid: generate(5)}), subject=uid, names=(f"{kind}:{uid}",), told=None,
                    prepare=prepare)


def _arguments(kind: Kind, uid: str) -> Json:
    return {"uid": uid, "kind": kind, "host": ceod().config.host}


def _account(uid: str) -> Person:
    person = None if name_rules.username_problem(uid) else ceod().services.directory.person(uid)
    if person is None:
        raise no_account(ceod().services.directory, uid)
    return person


@route(blueprint, "PUT", "/homes/<uid>/database-info", role="admin", operation="database.info",
       states=states.KEPT, takes=DatabaseInfo, gives=Written, holds_password=True)
def write_info(uid: str) -> flask.Response:
    """Write the file in a home that says how to reach the account's database; an old one is kept beside it."""
    told = parsed(DatabaseInfo)
    person = _account(uid)
    if told.database != uid or told.username != uid:
        raise Invalid("the database is another account's", problems=[{"field": "database", "message": f"has to be {uid}"}])
    title = create_database.TITLES[told.kind]
    # MySQL's users are of its own machine: it takes no connection from another.
    use = f"mysql -u {uid} -p {uid}      (on {told.host} itself)" if told.kind == "mysql" else f"psql -h {told.host} -U {uid} {uid}"
    text = (f"{title} database of {uid}\n\nHost:      {told.host}\nDatabase:  {told.database}\nUsername:  {told.username}\n"
            f"Password:  {told.password}\n\nTo use it: {use}\nFor another password: ceo {told.kind} pwreset {uid}\n")
    return answer(Written(path=ceod().services.admin_host.homes.write_info(uid, person.number, told.kind, text)))
