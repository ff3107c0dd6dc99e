"""The access policy.

Access is *open* if everybody who reaches the server is one person, as with the token that a Jupyter server
prints at startup: browsers get random user names but share one secret. Access is by *members* if an identity
provider authenticates people: then only the owner and the members of a group may read, start, cancel and
delete in it.
"""

from typing import Any, Literal

from sqlalchemy import Row

from runwidgets.errors import UnauthorizedAccessError
from runwidgets.store.database.catalog import Catalog

Access = Literal["open", "members"]


class Policy:
    """Decides who may act in a group, and whose groups a list contains.

    Parameters
    ----------
    access : {"open", "members"}
        The kind of access, as described above.
    catalog : Catalog
        Provides owners and members.
    """

    def __init__(self, access: Access, catalog: Catalog) -> None:
        self._access = access
        self._catalog = catalog

    def reader(self, user: str | None) -> str | None:
        """Return the user whose groups a list is restricted to; None for no restriction."""
        return None if self._access == "open" else user or ""

    def is_allowed(self, user: str | None, group: Row[Any]) -> bool:
        """Return whether a user may act in a group."""
        if self._access == "open":
            return True
        return user is not None and (group.owner == user or user in self._catalog.get_members(group.id))

    def check(self, user: str | None, group: Row[Any]) -> None:
        """Raise an error unless a user may act in a group.

        Raises
        ------
        UnauthorizedAccessError
            The user is neither the owner of the group nor a member.
        """
        if not self.is_allowed(user, group):
            raise UnauthorizedAccessError(
                f"group {group.id}", f"{user or 'nobody'} is not a member of it", "ask a member to add you"
            )
