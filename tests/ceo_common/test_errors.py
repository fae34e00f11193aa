from __future__ import annotations

from ceo_common import errors


def test_every_class_has_its_own_code_and_comes_back_the_same() -> None:
    classes: list[type[errors.CeoError]] = [errors.Internal, *(cls for cls in errors.CeoError.__subclasses__() if cls is not errors.Internal)]
    assert len({cls.code for cls in classes}) == len(classes)
    for cls in classes:
        back = errors.from_json(cls("a sentence", problems=[{"field": "x", "message": "y"}], backend="ldap").as_json())
        assert type(back) is cls and back.message == "a sentence" and back.more == {"backend": "ldap"} and len(back.problems) == 1
        assert 400 <= cls.status < 600 and 0 < cls.exit_status < 126


def test_an_unknown_code_is_internal() -> None:
    assert type(errors.from_json({"error": "x", "code": "new"})) is errors.Internal
    assert type(errors.from_json({})) is errors.Internal
