"""python -m ceod.api: print the description of the API, of which docs/openapi.json is the copy."""

from __future__ import annotations

import json

import flask

from ceod.api import register
from ceod.api.openapi import document

if __name__ == "__main__":
    register(flask.Flask("ceod"))
    print(json.dumps(document(), indent=1))
