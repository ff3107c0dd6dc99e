"""axe-core on a page: what hinders a person with a keyboard, a screen reader or weak eyes."""

from functools import lru_cache
from typing import Any

from playwright.sync_api import Page

from tests.npm import TESTS, install


@lru_cache
def axe() -> str:
    """Return axe-core, once it is installed."""
    install()
    return (TESTS / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(page: Page, selector: str) -> list[Any]:
    """Return the serious and critical violations below a selector."""
    page.evaluate(axe())
    found: list[Any] = page.evaluate(
        """async (selector) => (await axe.run(selector)).violations
            .filter((each) => ['serious', 'critical'].includes(each.impact))
            .map((each) => [each.id, each.nodes.map((node) => [node.html, node.failureSummary])])""",
        selector,
    )
    return found
