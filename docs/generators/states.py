"""The states of a run, its moves and why it ended, from the enums: tables, and a picture of the moves."""

import ast
import inspect
from enum import Enum
from itertools import pairwise

from runwidgets.schema import RunReason
from runwidgets.states import ACTIVE, MOVES, RunState

BOX = 130, 46
POSITIONS = {
    RunState.PENDING: (20, 97),
    RunState.RUNNING: (260, 97),
    RunState.SUCCESS: (500, 20),
    RunState.ERROR: (500, 97),
    RunState.CANCELED: (500, 174),
}
"""Left upper corner of each state's box."""
BEND = {(RunState.PENDING, RunState.ERROR): 75, (RunState.PENDING, RunState.CANCELED): 130}
"""How far below the straight line a move passes that would cross a box."""


def draw_states() -> str:
    """Return the picture of all moves, and a row for each state."""
    meanings = read_sentences(RunState)
    rows = [
        f"| `{state.value}` | {'active' if state in ACTIVE else 'terminal'} | {meanings[state.name]} | "
        f"{', '.join(f'`{target.value}`' for target in sorted(MOVES[state])) or 'nowhere'} |"
        for state in RunState
    ]
    table = "| state | | meaning | may move to |\n|---|---|---|---|\n" + "\n".join(rows)
    return f"```{{raw}} html\n{_picture()}\n```\n\n{table}\n"


def list_reasons() -> str:
    """Return a row for each reason for which a run may have ended."""
    meanings = read_sentences(RunReason)
    rows = [f"| `{reason.value}` | {meanings[reason.name]} |" for reason in RunReason]
    return "| reason | meaning |\n|---|---|\n" + "\n".join(rows)


def read_sentences(enum: type[Enum]) -> dict[str, str]:
    """Return the sentence that stands below each member of an enum, by the member's name."""
    body = ast.parse(inspect.getsource(enum)).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        member.targets[0].id: sentence.value.value
        for member, sentence in pairwise(body.body)
        if isinstance(member, ast.Assign)
        and isinstance(member.targets[0], ast.Name)
        and isinstance(sentence, ast.Expr)
        and isinstance(sentence.value, ast.Constant)
        and isinstance(sentence.value.value, str)
    }


def _picture() -> str:
    moves = [_arrow(source, target) for source in RunState for target in sorted(MOVES[source])]
    boxes = [_box(state) for state in RunState]
    names = ", ".join(f"{source} to {target}" for source in RunState for target in sorted(MOVES[source]))
    return (
        f'<svg viewBox="0 0 650 262" style="max-width: 650px; width: 100%" role="img" '
        f'aria-label="Moves of a run: {names}" font-family="sans-serif" font-size="15" '
        'fill="currentColor" stroke="currentColor"><defs><marker id="tip" markerWidth="9" markerHeight="9" '
        'refX="8" refY="4" orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>'
        + "".join([*moves, *boxes])
        + "</svg>"
    )


def _box(state: RunState) -> str:
    x, y = POSITIONS[state]
    width, height = BOX
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="none" stroke-width="1.5"/>'
        f'<text x="{x + width / 2}" y="{y + height / 2 + 5}" text-anchor="middle" stroke="none">'
        f"{state}</text>"
    )


def _arrow(source: RunState, target: RunState) -> str:
    (x, y), (other_x, other_y) = POSITIONS[source], POSITIONS[target]
    width, height = BOX
    bend = BEND.get((source, target), 0)
    start = (x + width, y + height / 2) if not bend else (x + width / 2, y + height)
    end = other_x - 3, other_y + height / 2 + (8 if bend else 0)
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + bend
    return (
        f'<path d="M{start[0]},{start[1]} Q{middle[0]},{middle[1]} {end[0]},{end[1]}" fill="none" '
        'marker-end="url(#tip)"/>'
    )
