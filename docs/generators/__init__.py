"""Pages that are made from the code: the directive ``{generated} name`` stands where they are shown.

Each maker returns Markdown, so that a test can read what the site says without building it.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from generators.benchmarks import list_benchmarks
from generators.commands import list_commands
from generators.errors import list_errors
from generators.invariants import list_invariants
from generators.rest import list_routes, list_schemas
from generators.settings import list_settings
from generators.states import draw_states, list_reasons

MAKERS: dict[str, Callable[[], str]] = {
    "benchmarks": list_benchmarks,
    "commands": list_commands,
    "errors": list_errors,
    "invariants": list_invariants,
    "reasons": list_reasons,
    "routes": list_routes,
    "schemas": list_schemas,
    "settings": list_settings,
    "states": draw_states,
}


class Generated(SphinxDirective):
    """Puts what a maker returns in its place."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the maker's Markdown."""
        return self.parse_text_to_nodes(MAKERS[self.arguments[0]](), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of the directive."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
