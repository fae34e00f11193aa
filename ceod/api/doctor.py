"""Accounts examined over every server, and mended; the directory examined."""

from __future__ import annotations

import dataclasses

import flask

from ceo_common.model import names as name_rules
from ceo_common.model.doctor import DirectoryFindings, Findings, LeftHome, LeftHomes
from ceod.api.requests import answer, bind_as_caller, ceod, route, transact
from ceod.auth import states
from ceod.operations import examine_directory as directory_examination
from ceod.operations import mend_account
from ceod.operations.examine_account import Examination
from ceod.operations.left_homes import left_homes
from ceod.operations.private import Private
from ceod.services.missing_names import no_account

blueprint = flask.Blueprint("doctor", __name__)


@route(blueprint, "GET", "/members/<uid>/doctor", role="admin", operation="member.examine", gives=Findings)
def examine(uid: str) -> flask.Response:
    """Check an account on every server; for a name without an account, what still refers to it."""
    running = ceod()
    _check(uid)
    examination = Examination(uid, running.services, running.engine.record)
    findings = examination.findings
    if examination.person is None and all(finding.state == "ok" for finding in findings):
        raise no_account(ceod().services.directory, uid)
    return answer(Findings(uid=uid, findings=findings))


@route(blueprint, "POST", "/members/<uid>/doctor", role="admin", operation="member.mend",
       states=states.EVERY, streams=True, writes=True)
def mend(uid: str) -> flask.Response:
    """Repair what a check found and ceod can repair."""
    running = ceod()
    _check(uid)
    return transact(mend_account.MEND_ACCOUNT, lambda: Private(bind_as_caller()), subject=uid, names=(f"account:{uid}", f"group:{uid}"),
                    told=None, prepare=lambda: mend_account.plan(running.services, running.engine.record, uid))


@route(blueprint, "GET", "/homes/left", role="admin", operation="homes.left", gives=LeftHomes)
def left() -> flask.Response:
    """Temporary home directories that no transaction uses any more."""
    homes = left_homes(ceod().config.homes.root, ceod().engine.record)
    return answer(LeftHomes(homes=[LeftHome(**dataclasses.asdict(home)) for home in homes]))


@route(
    blueprint,
    "GET",
    "/directory/doctor",
    role="admin",
    operation="directory.examine",
    gives=DirectoryFindings,
)
def examine_directory() -> flask.Response:
    """Check the entries of accounts and groups: which are broken, or were made by hand."""
    running = ceod()
    directory = directory_examination.read(running.services, running.engine.record)
    return answer(DirectoryFindings(findings=directory_examination.examine(directory)))


def _check(uid: str) -> None:
    """Raises NotFound."""
    if name_rules.username_problem(uid):
        raise no_account(ceod().services.directory, uid)
