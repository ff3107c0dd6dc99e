"""The service contract of uploads."""

from abc import ABC, abstractmethod
from typing import IO

from runwidgets.schema import UploadHandle, UploadList


class UploadService(ABC):
    """Store the files that runs take as arguments; an upload's handle is ``{id, name, createdAt, size}``."""

    @abstractmethod
    def upload_file(self, group_id: str, file: IO[bytes], name: str) -> UploadHandle:
        """Store a file with a group.

        Parameters
        ----------
        group_id : str
            The group.
        file : IO
            A readable binary file, which is read to its end in chunks.
        name : str
            File name without folders.

        Returns
        -------
        dict
            The handle of the upload.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        InvalidArgumentError
            The name is not a plain file name.
        FileTooLargeError
            The file exceeds the limit; nothing of it is kept.
        StorageFullError
            The disk is full; nothing of the file is kept.
        """

    @abstractmethod
    def take_file(self, group_id: str, path: str) -> UploadHandle:
        """Store a copy of a file from the folder that holds the templates.

        Parameters
        ----------
        group_id : str
            The group.
        path : str
            Absolute, or relative to the folder of the templates (to the working directory, if templates may
            be in any folder); for a server that is the folder that Jupyter serves.

        Returns
        -------
        dict
            The handle of the upload; its name is the last part of the path.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        InvalidArgumentError
            The path is hidden, is outside the folder (after symbolic links are resolved) or cannot be read,
            or its last part is not a plain file name.
        UnknownFileError
            There is no such file.
        FileTooLargeError
            The file exceeds the limit; nothing of it is kept.
        StorageFullError
            The disk is full; nothing of the file is kept.
        """

    @abstractmethod
    def list_uploaded_files(self, group_id: str) -> UploadList:
        """List the uploads of a group.

        Parameters
        ----------
        group_id : str
            The group.

        Returns
        -------
        dict
            ``{"files": [handle, …]}``, oldest first.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user may not read it.
        """

    @abstractmethod
    def get_uploaded_file(self, group_id: str, file_id: str) -> IO[bytes]:
        """Open an upload.

        Parameters
        ----------
        group_id : str
            The group.
        file_id : str
            The upload.

        Returns
        -------
        IO
            A readable binary file; the caller closes it.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user may not read it.
        UnknownFileError
            The group has no such upload.
        """

    @abstractmethod
    def delete_file(self, group_id: str, file_id: str) -> None:
        """Remove an upload.

        It is no longer listed, and no new run can name it. Its content is kept as long as a run names it,
        so that the run can be started again as it was.

        Parameters
        ----------
        group_id : str
            The group.
        file_id : str
            The upload.

        Raises
        ------
        UnknownWorkflowGroupError
            There is no such group.
        UnauthorizedAccessError
            The user is not a member.
        UnknownFileError
            The group has no such upload.
        """
