"""The inputs of a run: placed in its working folder as its own, and checked at its end if they are shared."""

import os
from dataclasses import dataclass
from pathlib import Path

from runwidgets.execution.run_outcome import Outcome, RunFailedError
from runwidgets.execution.runner.files.shared_copies import DamagedCopyError, SharedCopy, share
from runwidgets.limits import Limits
from runwidgets.schema import PlacedFile, RunDescription, RunReason
from runwidgets.store.files.disk import clone_file, copy_file, remove_tree
from runwidgets.store.files.layout import ABOVE, SHARED, UPLOADS, WORKDIR


@dataclass(frozen=True)
class Original:
    """An input as it was placed, by which a file at its path is known to be of the run's making or not."""

    sha256: str
    status: os.stat_result
    """Of the path itself, which may be a link to a shared copy."""

    def was_replaced(self, path: Path, digest: str) -> bool:
        """Return whether the run wrote what is at the path now, even if it has the same content.

        The system sets the time of the last change of an inode (ctime) whenever a file is written, so that a
        program that restores the other time does not hide it. It also sets it for a new mode, and for a
        further hard link, which do not count.

        Parameters
        ----------
        path : Path
            The path of the input, where a file is.
        digest : str
            SHA-256 of that file.
        """
        before, now = self.status, path.lstat()
        if digest != self.sha256 or _identify(now) != _identify(before):
            return True
        has_other_mode_or_links = (now.st_mode, now.st_nlink) != (before.st_mode, before.st_nlink)
        return now.st_ctime_ns != before.st_ctime_ns and not has_other_mode_or_links


def _identify(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns


class Inputs:
    """The static files and the uploads of a run.

    Each is a clone of the stored copy, if the file system can clone files, or else a copy. A file that is
    larger than ``link_size`` is a link to a copy that it shares with other runs instead. A file of the run's
    own has the time of the file beside the notebook, or of the upload; a static file may be executed if the
    one beside the notebook may.

    Parameters
    ----------
    folder : Path
        The run directory.
    description : dict
        Content of ``run.json``: ``inputs`` and ``files``, each with ``path``, ``sha256`` and ``size``
        (bytes), a file also with its ``fileId``.
    copies : Path
        Folder of the content-addressed copies.
    limits : Limits
        ``link_size``.
    """

    def __init__(self, folder: Path, description: RunDescription, copies: Path, limits: Limits) -> None:
        self._folder = folder
        self._description = description
        self._copies = copies
        self._limits = limits
        self._may_clone = True
        self._shared: dict[str, SharedCopy] = {}
        self._changed: list[str] | None = None
        self.originals: dict[str, Original] = {}
        """Every file that was placed, by its path relative to the working folder."""

    def place(self) -> None:
        """Put the files into the working folder, in which an earlier attempt may have left some.

        Raises
        ------
        RunFailedError
            The content of a stored copy has changed.
        """
        remove_tree(self._folder / ABOVE)
        workdir = self._folder / WORKDIR
        workdir.mkdir(mode=0o700, parents=True)
        template = self._description["template"]
        for name in (template["place"], *template["folders"]):
            (workdir / name).mkdir(parents=True, exist_ok=True)
        for static in self._description["inputs"]:
            source = self._copies / static["sha256"][:2] / static["sha256"]
            self._put(static, source, static["mtime"], 0o700 if static["isExecutable"] else 0o600)
        for upload in self._description["files"]:  # it may replace a static file
            source = self._folder / UPLOADS / upload["fileId"]
            self._put(upload, source, source.stat().st_mtime_ns, 0o600)

    def find_changed(self) -> list[str]:
        """Return the paths of the shared inputs whose content was changed while the run used them.

        Called once the processes of the run have ended. No other run will be given what was changed.
        """
        if self._changed is None:
            self._changed = [path for path, copy in self._shared.items() if not copy.is_unchanged()]
        return self._changed

    def describe_changes(self) -> list[str]:
        """Return a message for each shared input that was changed."""
        size = self._limits.link_size
        return [
            f"{path}: this input was changed while the run used it, by this run or by another one; "
            f"runs share inputs of more than {size:,} bytes: copy the file before changing it"
            for path in self.find_changed()
        ]

    def withdraw_changed(self) -> None:
        """Give other runs no input that may have been changed."""
        for copy in self._shared.values():
            copy.withdraw()

    def _put(self, file: PlacedFile, source: Path, mtime: int, mode: int) -> None:
        """Put a file into the working folder, with a time in nanoseconds and a mode."""
        target = self._folder / WORKDIR / file["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            self._place(file, source, target)
        except DamagedCopyError as error:
            message = f"{file['path']}: the stored copy of this input is damaged"
            raise RunFailedError(Outcome.failed(RunReason.FILE_ERROR, message)) from error
        if not target.is_symlink():
            os.utime(target, ns=(mtime, mtime))
            target.chmod(mode)
        self.originals[file["path"]] = Original(file["sha256"], target.lstat())

    def _place(self, file: PlacedFile, source: Path, target: Path) -> None:
        if self._may_clone and clone_file(source, target):
            return
        self._may_clone = False
        if file["size"] <= self._limits.link_size:
            if copy_file(source, target) != file["sha256"]:
                target.unlink()
                raise DamagedCopyError(file["sha256"])
            return
        copy = share(source, file["sha256"], target.name, self._copies.parent / SHARED)
        target.symlink_to(copy.path)
        self._shared[file["path"]] = copy
