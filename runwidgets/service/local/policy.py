"""Who may do what.

Access is *open* where everybody who reaches the service is one person, as with the token that a
Jupyter server prints at its start: its browsers get random names but share one secret. It is by
*members* where an identity provider knows people: then the owner and the members of a group may read,
start, cancel and delete in it, and nobody else.
"""

from typing import Any, Literal

from sqlalchemy import Row

from runwidgets.errors import UnauthorizedAccessError
from runwidgets.store.database.catalog import Catalog

Access = Literal["open", "members"]


class Policy:
    """KernelBridge for one way of access.

    Parameters
    ----------
    access : {"open", "members"}
        As above.
    catalog : Catalog
        Knows owners and members.
    """

    def __init__(self, access: Access, catalog: Catalog) -> None:
        self._access = access
        self._catalog = catalog

    def reader(self, user: str | None) -> str | None:
        """Return the user to whose groups lists are narrowed; None for no narrowing."""
        return None if self._access == "open" else user or ""

    def is_allowed(self, user: str | None, group: Row[Any]) -> bool:
        """Say whether a user may act in a group."""
        if self._access == "open":
            return True
        return user is not None and (group.owner == user or user in self._catalog.get_members(group.id))

    def check(self, user: str | None, group: Row[Any]) -> None:
        """Refuse a user who may not act in a group.

        Raises
        ------
        UnauthorizedAccessError
            The user is neither its owner nor a member.
        """
        if not self.is_allowed(user, group):
            raise UnauthorizedAccessError(
                f"group {group.id}", f"{user or 'nobody'} is no member of it", "ask a member to add you"
            )
