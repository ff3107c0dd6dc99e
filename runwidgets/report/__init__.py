"""A run on paper: the small card of a notebook's static page, and the document of `Run.to_html`.

Nothing here is live and nothing is trusted. Every text is escaped, signs that cannot be seen are made
visible, pictures are part of the document, and what may hold markup of its own (HTML results, the
executed notebook) goes into a frame without scripts, under a policy that loads nothing from anywhere.
"""

from runwidgets.report.card import LEFT, LONGEST, card_html, rows_html, sweep_html
from runwidgets.report.pictures import Pictures
from runwidgets.report.texts import escape, value_text

__all__ = [
    "LEFT",
    "LONGEST",
    "Pictures",
    "card_html",
    "escape",
    "rows_html",
    "sweep_html",
    "value_text",
]
