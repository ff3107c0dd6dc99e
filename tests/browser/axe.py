"""axe-core on a page: what a person with a keyboard, a screen reader or weak eyes would stumble over."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "runwidgets/frontend/tests/node_modules/axe-core/axe.min.js"


def violations(page: Page, selector: str) -> list[Any]:
    """Return the serious and critical violations below a selector."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[Any] = page.evaluate(
        """async (selector) => (await axe.run(selector)).violations
            .filter((each) => ['serious', 'critical'].includes(each.impact))
            .map((each) => [each.id, each.nodes.map((node) => [node.html, node.failureSummary])])""",
        selector,
    )
    return found
