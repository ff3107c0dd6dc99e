import pytest

from runwidgets.report.ansi import ansi_html


def mixed(red: int, green: int, blue: int) -> str:
    """Return a colour as the page mixes it."""
    return f"color-mix(in srgb, rgb({red}, {green}, {blue}) 35%, var(--ink))"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred <b>\x1b[0m", '<span style="color:var(--ansi-1)">red &lt;b&gt;</span>'),
        (
            "\x1b[1;92mbold\x1b[22;39m not",
            '<span style="font-weight:600;color:var(--ansi-2)">bold</span> not',
        ),
        ("\x1b[44mx", '<span style="box-shadow:inset 0 -2px var(--ansi-4)">x</span>'),
        ("\x1b[38;5;196mx", f'<span style="color:{mixed(255, 0, 0)}">x</span>'),
        ("\x1b[38;2;1;2;999m", ""),
        ("\x1b[38:2::255:0:10mx", f'<span style="color:{mixed(255, 0, 10)}">x</span>'),
        ("\x1b[38:2:255:0:10;1mx", f'<span style="color:{mixed(255, 0, 10)};font-weight:600">x</span>'),
        ("\x1b[48:5:12mx", '<span style="box-shadow:inset 0 -2px var(--ansi-4)">x</span>'),
        ("\x1b[4:3mx\x1b[4:0my", '<span style="text-decoration:underline">x</span>y'),
    ],
)
def test_colours_of_a_terminal_become_colours_of_the_page(text: str, shown: str) -> None:
    """Basic, indexed and mixed colours are converted, with semicolons and with colons; text is unchanged."""
    assert ansi_html(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2K\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://a\x07one\x1b]8;;\x07 \x1b]8;id=1;http://b\x1b\\two\x1b]8;;\x1b\\", "one two"),
        ("1%\r50%\r100%\r\n", "100%\n"),
        ("\x00\x7f\u202e\ud800", "␀␡⟨U+202E⟩⟨U+D800⟩"),
    ],
)
def test_other_sequences_are_removed(text: str, shown: str) -> None:
    """Titles and links are removed, carriage returns go back, and other controls become visible."""
    assert ansi_html(text) == shown
