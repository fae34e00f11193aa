"""Negotiate tokens made by hand, and requests that carry them."""

from __future__ import annotations

import base64
from typing import Any

import gssapi
import requests

from tests.club.club import URL, Club

SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")


def fresh_token(club: Club, who: str, *, delegate: bool = False, service: str = "ceod@phosphoric-acid.csclub.internal") -> bytes:
    """A fresh Negotiate token."""
    flags = gssapi.RequirementFlag.mutual_authentication | (gssapi.RequirementFlag.delegate_to_peer if delegate else 0)
    context = gssapi.SecurityContext(
        name=gssapi.Name(service, gssapi.NameType.hostbased_service), mech=SPNEGO, usage="initiate", flags=flags,
        creds=gssapi.Credentials(usage="initiate", store={"ccache": club.ccache(who)}),
    )
    token: bytes = context.step()
    return token


def send(
    session: requests.Session, method: str, path: str, token: bytes | None, body: Any = None, *, url: str = URL, **headers: str,
) -> requests.Response:
    """One request with this token."""
    if token is not None:
        headers["Authorization"] = "Negotiate " + base64.b64encode(token).decode()
    return session.request(method, url + path, headers=headers, json=body, timeout=60)
