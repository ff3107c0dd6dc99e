"""The invariants with their numbers, from the rules that `jupyter runwidgets doctor` checks."""

from runwidgets.service.integrity.invariants import INVARIANTS, REMEDIES


def list_invariants() -> str:
    """Return a section for each invariant."""
    return "\n".join(
        f"## Invariant {number}\n\n{sentence}\n\n{REMEDIES.get(number, '')}\n"
        for number, sentence in INVARIANTS.items()
    )
