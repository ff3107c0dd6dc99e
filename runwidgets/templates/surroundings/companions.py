"""Files that libraries open along with one that is named: parts of one data set, or of one database."""

from collections.abc import Iterator
from pathlib import Path

RASTER = (".aux.xml", ".blw", ".clr", ".hdr", ".prj", ".stx")
OTHER_ENDINGS = {
    ".bil": RASTER,
    ".bip": RASTER,
    ".bsq": RASTER,
    ".hdr": (".img", ".bil", ".bip", ".bsq"),
    ".hea": (".atr", ".dat"),
    ".img": (".hdr",),
    ".mhd": (".raw", ".zraw"),
    ".mif": (".mid",),
    ".set": (".fdt",),
    ".shp": (".cpg", ".dbf", ".prj", ".sbn", ".sbx", ".shx"),
    ".tab": (".dat", ".id", ".ind", ".map"),
    ".tif": (".tfw",),
    ".vhdr": (".eeg", ".vmrk"),
}
"""What takes the place of an ending."""
SQLITE_LOGS = ("-journal", "-wal")  # not -shm, which SQLite makes anew from the log
FURTHER_ENDINGS = {
    ".db": SQLITE_LOGS,
    ".db3": SQLITE_LOGS,
    ".gpkg": SQLITE_LOGS,
    ".img": (".aux.xml", ".ovr"),
    ".shp": (".xml",),
    ".sqlite": SQLITE_LOGS,
    ".sqlite3": SQLITE_LOGS,
    ".tif": (".aux.xml", ".msk", ".ovr"),
}
"""What follows an ending."""


def find_companions(file: Path) -> Iterator[Path]:
    """Yield the existing files that are opened along with a file.

    Parameters
    ----------
    file : Path
        A file; its ending decides.

    Yields
    ------
    Path
        A file beside it.
    """
    ending = file.suffix.lower()
    for each in OTHER_ENDINGS.get(ending, ()):
        for spelled in (each, each.upper()):
            if (companion := file.with_suffix(spelled)).is_file():
                yield companion
    for each in FURTHER_ENDINGS.get(ending, ()):
        if (companion := file.with_name(file.name + each)).is_file():
            yield companion
