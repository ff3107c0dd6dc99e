"""Static reports: the card of a run or sweep in a saved notebook, and the document of `Run.to_html`.

A report is static and its content untrusted. All text is escaped, invisible characters are made visible,
pictures are embedded, and content with its own markup (HTML results, the executed notebook) is put into a
frame without scripts, under a content security policy that loads nothing.
"""

from runwidgets.report.card import CELL_STYLE, ENTRY_LENGTH, card_html, rows_html, sweep_html
from runwidgets.report.formatting import escape, value_text
from runwidgets.report.pictures import Pictures

__all__ = [
    "CELL_STYLE",
    "ENTRY_LENGTH",
    "Pictures",
    "card_html",
    "escape",
    "rows_html",
    "sweep_html",
    "value_text",
]
