"""Files that libraries open along with one that is named: parts of one data set, or of one database."""

from collections.abc import Iterator
from pathlib import Path

RASTER = (".aux.xml", ".blw", ".clr", ".hdr", ".prj", ".stx")
OTHER_ENDINGS = {
    ".asc": (".prj",),
    ".bam": (".bai",),
    ".bil": RASTER,
    ".bip": RASTER,
    ".bsq": RASTER,
    ".cram": (".crai",),
    ".csv": (".csvt",),
    ".dbf": (".cdx", ".cpg", ".dbt", ".fpt"),
    ".hdr": (".img", ".bil", ".bip", ".bsq"),
    ".hea": (".atr", ".dat"),
    ".img": (".hdr",),
    ".jpeg": (".jgw",),
    ".jpg": (".jgw",),
    ".mhd": (".raw", ".zraw"),
    ".mif": (".mid",),
    ".png": (".pgw",),
    ".set": (".fdt",),
    ".shp": (".cpg", ".dbf", ".prj", ".sbn", ".sbx", ".shx"),
    ".tab": (".dat", ".id", ".ind", ".map"),
    ".tif": (".tfw",),
    ".tiff": (".tfw",),
    ".vhdr": (".eeg", ".vmrk"),
}
"""What takes the place of an ending."""
PICTURE = (".aux.xml", ".msk", ".ovr")
FURTHER_ENDINGS = {
    ".asc": (".aux.xml",),
    ".bam": (".bai", ".csi"),
    ".cram": (".crai",),
    ".fa": (".fai",),
    ".fasta": (".fai",),
    ".fna": (".fai",),
    ".gz": (".csi", ".fai", ".gzi", ".tbi"),
    ".img": (".aux.xml", ".ovr"),
    ".jpeg": PICTURE,
    ".jpg": PICTURE,
    ".png": PICTURE,
    ".shp": (".xml",),
    ".tif": PICTURE,
    ".tiff": PICTURE,
}
"""What follows an ending."""
DATABASE_LOGS = ("-journal", "-wal", ".wal")
"""What follows the name of a database, which may have any ending: the logs of SQLite and DuckDB, with rows
that are not in the database yet. SQLite makes its ``-shm`` anew from the log."""


def find_companions(file: Path) -> Iterator[Path]:
    """Yield the existing files that are opened along with a file.

    Parameters
    ----------
    file : Path
        A file.

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
    for each in (*FURTHER_ENDINGS.get(ending, ()), *DATABASE_LOGS):
        if (companion := file.with_name(file.name + each)).is_file():
            yield companion
