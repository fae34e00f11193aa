"""The table against the routes, and the sentences that people read."""

from __future__ import annotations

from typing import Any

from ceo_common.permissions import RULES, Who


def _app() -> Any:
    from ceod.api import create_app
    from tests.ceod.test_caller import CONFIG

    return create_app(CONFIG)


def test_every_route_has_a_rule_and_every_rule_a_use() -> None:
    from ceod.api.requests import ROUTES

    _app()
    used = {route.operation for route in ROUTES}
    assert used <= set(RULES)
    # Asked inside a view, where the rule depends on what is asked for.
    assert set(RULES) - used == {"health.full", "member.forwarding.read", "member.forwarding.syscom", "member.shell", "member.expire.rehearse",
                                "transactions.resume.bulk", "library.renew.overdue"}


def test_the_app_has_no_route_beside_the_table() -> None:
    from ceod.api.requests import ROUTES

    table = {(route.method, route.path) for route in ROUTES}
    served = {(method, rule.rule) for rule in _app().url_map.iter_rules() for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert served == table
    assert len(table) == len(ROUTES)


def test_the_sentences() -> None:
    assert RULES["member.add"].sentence() == "Only office staff and the systems committee may add a member or a club representative."
    assert RULES["transactions.abandon"].sentence() == "Only the systems committee may abandon a transaction."


def test_syscom_may_whatever_office_may() -> None:
    for name, rule in RULES.items():
        if Who.OFFICE in rule.allowed:
            assert Who.SYSCOM in rule.allowed, name
