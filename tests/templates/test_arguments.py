import datetime
from typing import Any

import numpy as np
import pytest

from runwidgets.errors import (
    DuplicateArgumentError,
    InvalidArgumentError,
    InvalidParameterError,
    MissingArgumentError,
    RunWidgetsError,
    UnknownFileError,
    UnknownParameterError,
)
from runwidgets.templates.arguments import check_arguments, coerce_mapping
from runwidgets.templates.parameters import Parameter, cast, parse_parameters

DECLARED = parse_parameters(
    [
        {"name": "alpha", "dtype": "int", "range": "[1,9]"},
        {"name": "table", "dtype": "file", "target": "data/in.csv", "isRequired": False},
        {"name": "other", "dtype": "file", "isRequired": False},
        {"name": "extra", "dtype": "string", "defaultValue": "e"},
    ]
)


def arguments(**values: Any) -> list[dict[str, Any]]:
    """Return keywords as a list of arguments."""
    return [{"name": name, "value": value} for name, value in values.items()]


def file(file_id: str, **more: Any) -> dict[str, Any]:
    """Return an argument that refers to an upload."""
    return {"type": "$file", "value": {"fileId": file_id, **more}}


def check(arguments: Any) -> dict[str, Any]:
    """Check arguments with one existing upload, `known`."""
    return check_arguments(DECLARED, arguments, {"known"}.__contains__)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (None, InvalidArgumentError, "arguments: they are not a list"),
        ({"alpha": 1}, InvalidArgumentError, "arguments: they are not a list"),
        (["alpha"], InvalidArgumentError, r"arguments\[0\]"),
        ([{"name": "alpha"}], InvalidArgumentError, r"arguments\[0\]"),
        ([{"name": 3, "value": 1}], InvalidArgumentError, r"arguments\[0\]"),
        ([{"name": "alpha", "value": 1, "more": 2}], InvalidArgumentError, r"arguments\[0\]"),
        (arguments(alpha=1) + arguments(alpha=1, zeta=1), DuplicateArgumentError, "alpha"),
        (arguments(alhpa=1, table=file("lost")), UnknownParameterError, "did you mean alpha"),
        (arguments(zzz=1), UnknownParameterError, "there are alpha, table, other, extra"),
        (arguments(__import__=1), UnknownParameterError, "__import__"),
        (arguments(alpha="abc", table=file("lost")), UnknownFileError, "lost"),
        (arguments(extra=5), InvalidArgumentError, "extra: 5 is not text"),
        (arguments(extra="e"), MissingArgumentError, "alpha"),
    ],
)
def test_the_first_fault_in_the_order_of_the_contract_is_named(
    arguments: Any, error: type[RunWidgetsError], said: str
) -> None:
    """The order is shape, duplicates, unknown names, files, values, missing arguments."""
    with pytest.raises(error, match=said):
        check(arguments)


def test_only_given_values_come_back_in_their_order_with_targets_resolved() -> None:
    """A given target overrides the declared one; without either there is no target."""
    checked = check(arguments(other=file("known"), table=file("known"), alpha="3"))

    assert list(checked) == ["other", "table", "alpha"]
    assert checked["other"] == file("known")
    assert checked["table"] == file("known", targetPath="data/in.csv")
    assert check(arguments(alpha=1, table=file("known", targetPath="a/b"))) == {
        "alpha": 1,
        "table": file("known", targetPath="a/b"),
    }


@pytest.mark.parametrize(
    "target",
    [
        "..",
        "../..",
        "a/../../x",
        "/etc/x",
        "~/x",
        "C:\\x",
        "a\\b",
        "",
        ".",
        "./",
        "a\0b",
        "\ud800",
        "x" * 300,
    ],
)
def test_a_target_outside_the_folder_is_refused(target: str) -> None:
    """Paths that a file system does not accept are refused too."""
    with pytest.raises(InvalidArgumentError, match="inside the project"):
        check(arguments(alpha=1, table=file("known", targetPath=target)))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("int", 10**5000), ("int", [10**5000]), ("list", [10**5000]), ("record", {"a": 10**5000})],
    ids=["bare", "shown", "in a list", "in a record"],
)
def test_huge_numbers_are_refused_and_not_printed(dtype: str, value: Any) -> None:
    """Python itself would refuse to print so many digits."""
    with pytest.raises(InvalidArgumentError, match="x"):
        cast(Parameter.from_json({"name": "x", "dtype": dtype}), value)


def test_a_secret_is_in_no_message() -> None:
    """The problem is described without the value."""
    secret = Parameter.from_json({"name": "pin", "dtype": "int", "secret": True})

    with pytest.raises(InvalidArgumentError) as refused:
        cast(secret, "hunter2")

    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_message_is_short_and_can_be_sent() -> None:
    """The value may be anything, even half a character."""
    for value in ("x" * 100_000, "\ud800", {"a" * 10_000: 1}, list(range(10_000))):
        with pytest.raises(InvalidArgumentError) as refused:
            cast(Parameter.from_json({"name": "x", "dtype": "int"}), value)
        assert len(refused.value.message.encode()) < 200


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"dtype": "select", "values": 5}, "values"),
        ({"dtype": "select", "values": [{"name": "A", "value": [1]}]}, "values"),
        ({"dtype": "select", "values": [{"name": "A", "value": float("nan")}]}, "not a finite number"),
        ({"dtype": "select", "values": [{"name": n, "value": 1} for n in "ab"]}, "may occur once"),
        ({"dtype": "int", "range": "(1,1]"}, "is empty"),
        ({"dtype": "int", "range": "[1e999,]"}, "is invalid"),
        ({"dtype": "int", "isRequired": "yes"}, "isRequired"),
        ({"dtype": "int", "help": "a\0b"}, "NUL"),
        ({"dtype": "file", "defaultValue": 5}, "path of a file"),
        ({"dtype": "record", "fields": [{"name": "a", "dtype": "file"}]}, "cannot contain files"),
        ({"dtype": "list", "para": {"dtype": "list", "para": {"dtype": "file"}}}, "cannot contain files"),
        ({"dtype": "record", "fields": [{"name": "a", "dtype": "int"}] * 2}, "two fields have the same name"),
        (
            {"dtype": "record", "fields": [{"name": "a", "dtype": "int", "defaultValue": "b"}]},
            "its default: 'b' is not a whole number",
        ),
        ({"name": "ﬁ", "dtype": "int"}, "identifier"),
    ],
)
def test_a_declaration_that_would_fail_later_is_refused_at_once(more: dict[str, Any], said: str) -> None:
    """A template is read once, and used by many runs."""
    with pytest.raises(InvalidParameterError, match=said):
        Parameter.from_json({"name": "x", **more})


def test_a_cast_does_not_change_what_a_parameter_equals() -> None:
    """The cache of types is not a part of the declaration."""
    declared = {"name": "x", "dtype": "int"}
    used = Parameter.from_json(declared)

    cast(used, 3)

    assert used == Parameter.from_json(declared)


def test_times_of_numpy_are_times() -> None:
    """NumPy's own conversion returns bare nanoseconds; times finer than microseconds are refused."""
    times = np.array(["2024-01-01T10:00"], dtype="datetime64[ns]")

    (argument,) = coerce_mapping({"x": times})

    assert argument["value"] == [datetime.datetime(2024, 1, 1, 10).isoformat()]
    for value in (np.datetime64("NaT"), np.datetime64(1, "ns"), np.timedelta64(1, "s")):
        with pytest.raises(InvalidArgumentError, match="x"):
            coerce_mapping({"x": value})


def test_a_value_that_contains_itself_is_refused() -> None:
    """It has no JSON form."""
    value: list[Any] = []
    value.append(value)

    with pytest.raises(InvalidArgumentError, match="nested deeper"):
        coerce_mapping({"x": value})
