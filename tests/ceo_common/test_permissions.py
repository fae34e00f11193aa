"""The table against the routes, and the sentences that people read."""

from __future__ import annotations

from ceo_common.permissions import RULES, Who


def test_every_route_has_a_rule_and_every_rule_a_use() -> None:
    from ceod.api import health, mailman, members, transactions, uwldap
    from ceod.api.requests import ROUTES

    assert health and mailman and members and transactions and uwldap
    used = {route.operation for route in ROUTES}
    assert used <= set(RULES)
    assert set(RULES) - used == {"health.full", "member.forwarding.read"}  # asked inside a view


def test_the_app_has_no_route_beside_the_table() -> None:
    from ceod.api import create_app
    from ceod.api.requests import ROUTES
    from tests.ceod.test_caller import CONFIG

    app = create_app(CONFIG)
    table = {(route.method, route.path) for route in ROUTES}
    served = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert served == table


def test_the_sentences() -> None:
    assert RULES["member.add"].sentence() == "Only office staff and the systems committee may add a member or a club representative."
    assert RULES["transactions.abandon"].sentence() == "Only the systems committee may abandon a transaction."


def test_syscom_may_whatever_office_may() -> None:
    for name, rule in RULES.items():
        if Who.OFFICE in rule.allowed:
            assert Who.SYSCOM in rule.allowed, name
