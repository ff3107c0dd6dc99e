"""The upload service in this process."""

import uuid
from pathlib import PurePath
from typing import IO, Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from runwidgets.errors import (
    UnknownWorkflowGroupError,
)
from runwidgets.schema import UploadHandle, UploadList
from runwidgets.service.contracts.uploads import UploadService
from runwidgets.service.local.components import Components
from runwidgets.service.local.validation import check_file_name, check_text
from runwidgets.store.database.columns import NewUpload
from runwidgets.store.files.layout import upload_key


class LocalUploadService(UploadService):
    """Uploads of the store, for one user."""

    def __init__(self, components: Components, user: str | None) -> None:
        self._components = components
        self._user = user

    def upload_file(self, group_id: str, file: IO[bytes], name: str) -> UploadHandle:
        """Store a file with a group; see `UploadService`."""
        components = self._components
        components.group(self._user, group_id)
        check_file_name(name, components.limits)
        file_id = uuid.uuid4().hex
        digest, size = components.files.store_upload(
            upload_key(group_id, file_id, name), file, components.limits.upload
        )
        values: NewUpload = {
            "id": file_id,
            "group_id": group_id,
            "name": name,
            "size": size,
            "sha256": digest,
        }
        try:
            return upload_handle(components.catalog.add_upload(values))
        except IntegrityError:
            components.files.delete_upload(group_id, file_id)
            raise UnknownWorkflowGroupError(f"group {group_id}", "it was deleted in the meantime") from None
        except BaseException:
            components.files.delete_upload(group_id, file_id)
            raise

    def take_file(self, group_id: str, path: str) -> UploadHandle:
        """Store a copy of a file of the server; see `UploadService`."""
        self._components.group(self._user, group_id)
        check_text("path", path, self._components.limits.string_size)
        with self._components.templates.open_file(path, self._components.files.folder) as stream:
            return self.upload_file(group_id, stream, PurePath(path).name)

    def list_uploaded_files(self, group_id: str) -> UploadList:
        """List the uploads of a group; see `UploadService`."""
        self._components.group(self._user, group_id)
        return {"files": [upload_handle(row) for row in self._components.catalog.list_uploads(group_id)]}

    def get_uploaded_file(self, group_id: str, file_id: str) -> IO[bytes]:
        """Open an upload; see `UploadService`."""
        self._components.group(self._user, group_id)
        row = self._components.catalog.get_upload(group_id, file_id)
        return self._components.files.open_upload(group_id, file_id, row.name)

    def delete_file(self, group_id: str, file_id: str) -> None:
        """Remove an upload; see `UploadService`."""
        self._components.group(self._user, group_id)
        self._components.catalog.get_upload(group_id, file_id)
        if self._components.catalog.delete_upload(file_id):
            self._components.files.delete_upload(group_id, file_id)


def upload_handle(row: Row[Any]) -> UploadHandle:
    """Return the handle of an upload."""
    return {"id": row.id, "name": row.name, "createdAt": row.created_at, "size": row.size}
