import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUFFIXES = {".py", ".ts", ".css", ".yaml", ".md"}
SKIPPED = {"node_modules", "__pycache__", ".ipynb_checkpoints", "_build", "jupyter_execute"}
RETIRED = {
    "house": "instance",
    "room": "space, capacity, module",
    "station": "worker plugin",
    "arbiter": "scheduler plugin",
    "ledger": "queue",
    "depot": "object store",
    "birth": "new run directory",
    "nursery": "temporary folder",
    "nurseries": "temporary folders",
    "stray": "orphan",
    "washed": "orphaned",
    "leftover": "orphan",
    "evidence": "run state",
    "survey": "query",
    "stumble": "failure",
    "stumbled": "failed",
    "stumbling": "failing",
    "patrol": "check",
    "bury": "discard",
    "buries": "discards",
    "buried": "discarded",
    "waker": "wake receiver",
    "bell": "condition, wake sender",
    "ring": "wake",
    "ringing": "waking",
    "places": "paths, locations, positions",
    "starting": "not ready, before the start",
    "completed": "ended, finished",
    "gather": "collect",
    "gathered": "collected",
    "gathering": "collecting",
    "answers": "responses, replies, responds",
}
"""Each with the term in its place; a plural in -s is retired with its singular."""
NAMES_OF_OTHERS = (
    "asyncio.gather",
    "FIRST_COMPLETED",  # asyncio, concurrent.futures
    "CompletedProcess",  # subprocess
    "as_completed",  # concurrent.futures, Dask; our iterator of a sweep has the same name
    "AsCompleted",
    '"COMPLETED"',  # a job state of jupyter-scheduler
    '"starting"',  # the execution state of a kernel that starts, in Jupyter's protocol
)
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def find_retired(text: str) -> list[str]:
    """Return the retired words in a text, including those inside identifiers."""
    for name in NAMES_OF_OTHERS:
        text = text.replace(name, "")
    words = (found.lower() for found in WORD.findall(text))
    return [word for word in words if word in RETIRED or word.removesuffix("s") in RETIRED]


def find_files() -> Iterator[Path]:
    """Yield the files of the package, its tests and its documentation."""
    for folder in ("runwidgets", "tests", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and not SKIPPED & set(path.parts) and path != Path(__file__):
                yield path
    yield ROOT / "README.md"
    yield ROOT / "CONTRIBUTING.md"


def test_no_file_uses_a_retired_word() -> None:
    """Identifiers, file names, docstrings, comments, messages and pages use the standard terms."""
    found = []
    for path in find_files():
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}: {word}" for word in find_retired(name)]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            found += [f"{name}:{number}: {word} ({RETIRED.get(word)})" for word in find_retired(line)]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "the house",
        "has_room",
        "BIRTHS",
        "HomeLedger",
        "_bell",
        "waker,",
        "it stumbled and continues",
        "Answers",
    ],
)
def test_a_retired_word_is_found_inside_identifiers_and_sentences(text: str) -> None:
    """Words are split at underscores and capitals, and compared without their plural."""
    assert len(find_retired(text)) == 1


@pytest.mark.parametrize(
    "text", ["a string", "headroom", "asyncio.gather(*calls)", "one answer", "the first start"]
)
def test_other_words_are_left_alone(text: str) -> None:
    """Neither parts of words nor names from other projects are refused."""
    assert find_retired(text) == []
