"""The states of a run and its moves, from the state machine: a table, and a picture drawn from it."""

from runwidgets.states import ACTIVE, MOVES, RunState

BOX = 130, 46
PLACES = {
    RunState.PENDING: (20, 97),
    RunState.RUNNING: (260, 97),
    RunState.SUCCESS: (500, 20),
    RunState.ERROR: (500, 97),
    RunState.CANCELED: (500, 174),
}
"""Left upper corner of each state's box."""
BEND = {(RunState.PENDING, RunState.ERROR): 75, (RunState.PENDING, RunState.CANCELED): 130}
"""How far below the straight line a move passes that would cross a box."""
MEANINGS = {
    RunState.PENDING: "accepted and on disk; waits for a slot",
    RunState.RUNNING: "claimed by a host, where its runner executes it",
    RunState.SUCCESS: "every cell ran; the result files are listed and hashed",
    RunState.ERROR: "it could not be started, raised an error, ran out of time or was lost",
    RunState.CANCELED: "somebody, or something, stopped it",
}


def draw_states() -> str:
    """Return the picture of all moves, and a row for each state."""
    rows = [
        f"| `{state.value}` | {'active' if state in ACTIVE else 'terminal'} | {MEANINGS[state]} | "
        f"{', '.join(f'`{target.value}`' for target in sorted(MOVES[state])) or 'nowhere'} |"
        for state in RunState
    ]
    table = "| state | | meaning | may move to |\n|---|---|---|---|\n" + "\n".join(rows)
    return f"```{{raw}} html\n{_picture()}\n```\n\n{table}\n"


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
    x, y = PLACES[state]
    width, height = BOX
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="none" stroke-width="1.5"/>'
        f'<text x="{x + width / 2}" y="{y + height / 2 + 5}" text-anchor="middle" stroke="none">'
        f"{state}</text>"
    )


def _arrow(source: RunState, target: RunState) -> str:
    (x, y), (other_x, other_y) = PLACES[source], PLACES[target]
    width, height = BOX
    bend = BEND.get((source, target), 0)
    start = (x + width, y + height / 2) if not bend else (x + width / 2, y + height)
    end = other_x - 3, other_y + height / 2 + (8 if bend else 0)
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + bend
    return (
        f'<path d="M{start[0]},{start[1]} Q{middle[0]},{middle[1]} {end[0]},{end[1]}" fill="none" '
        'marker-end="url(#tip)"/>'
    )
