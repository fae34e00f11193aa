from __future__ import annotations

from ceo_common import errors


def test_every_class_has_its_own_code_and_comes_back_the_same() -> None:
    # The client's own classes, which never cross the wire, are beside them when its modules are loaded.
    classes = [cls for cls in errors.CeoError.__subclasses__() if cls.__module__ == errors.__name__]
    assert errors.Internal in classes
    assert len({cls.code for cls in classes}) == len(classes)
    for cls in classes:
        back = errors.from_json(cls("a sentence", problems=[{"field": "x", "message": "y"}], backend="ldap").as_json())
        assert type(back) is cls and back.message == "a sentence" and back.more == {"backend": "ldap"} and len(back.problems) == 1
        assert 400 <= cls.status < 600 and 0 < cls.exit_status < 126


def test_an_unknown_code_is_internal() -> None:
    assert type(errors.from_json({"error": "x", "code": "new"})) is errors.Internal
    assert type(errors.from_json({})) is errors.Internal
