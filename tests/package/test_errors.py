import pytest

from runwidgets import errors
from runwidgets.errors import InvalidArgumentError, RunWidgetsError, from_json


def tree(root: type[RunWidgetsError], depth: int = 1) -> list[str]:
    """Draw the classes below a root in the format of the docstring of `errors.py`."""
    lines = [f"{'    ' + '  ' * (depth - 1) + root.__name__:<38} {root.status}"]
    return lines + [line for child in root.__subclasses__() for line in tree(child, depth + 1)]


CLASSES = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, RunWidgetsError)]


def test_the_tree_at_the_head_of_the_file_is_the_tree_of_the_classes() -> None:
    """The drawing is the same as the code."""
    drawn = [line.split() for line in (errors.__doc__ or "").splitlines() if "Error  " in line]

    assert drawn == [line.split() for line in tree(RunWidgetsError)]


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_the_wire(cls: type[RunWidgetsError]) -> None:
    """The other side raises the same class with the same message."""
    error = cls("alpha", "'abc' is not a number", "give a number such as 0.5")

    again = from_json(error.to_json(), error.status)

    assert type(again) is cls
    assert str(again) == "alpha: 'abc' is not a number; give a number such as 0.5"


def test_an_unknown_class_name_falls_back_to_its_status() -> None:
    """A response of a newer server is still an error of the right kind."""
    assert from_json({"error": "BrandNewError", "message": "no"}, 403).status == 403
    assert type(from_json({}, 418)) is RunWidgetsError


def test_plain_code_catches_ours_by_the_builtin_bases() -> None:
    """Wrong values are `ValueError`, unknown things `LookupError`."""
    with pytest.raises(ValueError, match=r"alpha: 3\.7 is not a whole number"):
        raise InvalidArgumentError("alpha", "3.7 is not a whole number")
    assert issubclass(errors.UnknownRunError, LookupError)
