"""Submission: runs are checked against the template, described, and stored on disk and in the database.

A single run and the ten thousand runs of a sweep are accepted in the same way. What they share (the group,
the template, the settings, the uploads) is read once; then each list of arguments becomes a prepared run, or
an error; then the directories of all prepared runs are created, and their rows are committed.
"""

import hashlib
import json
import posixpath
import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Row
from typing_extensions import Unpack

from runwidgets.errors import InvalidArgumentError, InvalidTemplateError, StorageFullError
from runwidgets.execution.kernels.kernelspecs import select_kernel
from runwidgets.failpoints import reach
from runwidgets.schema import (
    RUN_FORMAT,
    Argument,
    JsonValue,
    PlacedUpload,
    RunConfig,
    RunDescription,
    RunnerTemplate,
    SharedDescription,
)
from runwidgets.service.local.components import Components
from runwidgets.service.local.run_config import check_config, merge_configs
from runwidgets.service.local.submission.kernel import check_kernel
from runwidgets.service.local.submission.sweep_results import SweepResults, collect_results
from runwidgets.store.database.columns import NewRun, RunRow, SweepPlace
from runwidgets.store.files.layout import upload_key
from runwidgets.store.files.run_directories import NewRunDirectory
from runwidgets.templates.arguments import (
    check_arguments,
    file_references,
    find_group_defaults,
    replace_files,
    tag_values,
)
from runwidgets.templates.cells.cell_tags import check_choice
from runwidgets.templates.injection import check_translatable
from runwidgets.templates.parameters import Parameter, cast, parse_parameters
from runwidgets.templates.placement import RUNS_PARAMETER, GivenFile, Placement
from runwidgets.templates.surroundings.working_folder import first_name, in_working_folder

MASK = "***"
RUNNER_KEYS = (
    "name",
    "folder",
    "place",
    "folders",
    "kernelName",
    "language",
    "outputs",
    "constructions",
    "injections",
    "prelude",
    "imports",
)
"""The parts of a template that a runner needs."""


@dataclass(frozen=True)
class PreparedRun:
    """A run that has been checked, but not stored yet."""

    row: NewRun
    """The columns of its row."""
    directory: NewRunDirectory
    """Its new directory."""


class Submission:
    """The data that runs share when they are accepted together, read once.

    Parameters
    ----------
    components : Components
        The instance.
    user : str or None
        The user.
    group_id : str
        The group of the runs.
    config : dict or None
        Their config; settings of the group, and then of the template, apply where it has none.
    version : Row, optional
        The version of the template, to which the config is complete; None for the current version, and the
        settings of the group and of the template where the config has none.
    repeats : bool, optional
        Whether the arguments are those of earlier runs, whose uploads are known although they were deleted.
    stops : str, optional
        The sweep to be stopped when one of the runs ends in ERROR.
    **place
        Where they stand in a sweep.

    Raises
    ------
    UnknownWorkflowGroupError
        There is no such group.
    UnauthorizedAccessError
        The user is not a member of the group.
    InvalidArgumentError
        A key is unknown, or its value is invalid.
    """

    def __init__(
        self,
        components: Components,
        user: str | None,
        group_id: str,
        config: RunConfig | None,
        *,
        version: Row[Any] | None = None,
        repeats: bool = False,
        stops: str | None = None,
        **place: Unpack[SweepPlace],
    ) -> None:
        self._components = components
        self._repeats = repeats
        self._stops = stops
        self._user = user
        self._place_in_sweep = place
        self.group = components.group(user, group_id)
        self.settings: RunConfig = check_config(config, "config")
        if version is None:
            workflow = components.catalog.get_workflow(self.group.workflow_id)
            version = components.templates.current(workflow)
            self.settings = merge_configs(
                version.template["config"], self.group.config, self.settings, components.environment
            )
        self.version = version
        check_choice(version.template["cellTags"], self.settings)
        if self.settings.get("resources") and not components.has_resources:
            raise InvalidArgumentError(
                "config.resources", "runs of this server execute on its own machine", "omit this key"
            )
        self._parameters = _find_parameters(self.version, self.group)
        self._secret_names = {each.name for each in self._parameters if each.secret}
        self._sweep_results: SweepResults | None = None
        if "results_of" in self.settings:
            self._reserve_parameter()
            folder = self._placement.reserve(RUNS_PARAMETER, "the results of the sweep")
            self._sweep_results = collect_results(
                components,
                user,
                self.settings["results_of"],
                folder,
                place=self.version.template["place"],
            )

    def _reserve_parameter(self) -> None:
        """Take out the parameter whose value will be the folder of the collected results."""
        kept = tuple(each for each in self._parameters if each.name != RUNS_PARAMETER)
        if len(kept) == len(self._parameters):
            raise InvalidTemplateError(
                "notebook", f"it has no parameter '{RUNS_PARAMETER}'", "it would be the folder of the results"
            )
        self._parameters = kept

    @cached_property
    def _placement(self) -> Placement:
        template = self.version.template
        static = {each["path"]: each["sha256"] for each in template["inputs"]}
        return Placement(static, template["imports"], place=template["place"], folders=template["folders"])

    @cached_property
    def _used_names(self) -> set[str]:
        """Names in the notebook's folder with which paths in the code and declared outputs begin."""
        template = self.version.template
        outputs = (posixpath.relpath(each["source"], template["place"]) for each in template["outputs"])
        return {*template["usedNames"], *map(first_name, outputs)}

    def _names_in_values(self, values: Mapping[str, JsonValue], name: str) -> set[str]:
        """Return the names with which paths begin that all parameters but one have as values."""
        defaults = {each.name: each.default_paths for each in self._parameters if each.holds_files}
        known: dict[str, Any] = {**defaults, **self._defaults, **values}
        lists = (value if isinstance(value, list) else [value] for key, value in known.items() if key != name)
        return {first_name(each) for items in lists for each in items if isinstance(each, str)}

    @cached_property
    def _uploads(self) -> dict[str, Row[Any]]:
        rows = self._components.catalog.list_uploads(self.group.id, with_deleted=self._repeats)
        return {row.id: row for row in rows}

    @cached_property
    def _defaults(self) -> dict[str, JsonValue]:
        """The values of arguments that are not given, if they are known."""
        return {
            each.name: cast(each, each.default, self._components.limits)
            for each in self._parameters
            if each.default is not None and not each.secret and not each.holds_files
        }

    @cached_property
    def _shared_description(self) -> SharedDescription:
        """The part of ``run.json`` that all runs share."""
        template = self.version.template
        return {
            "format": RUN_FORMAT,
            "workflowId": self.group.workflow_id,
            "groupId": self.group.id,
            "config": self.settings,
            "stops": self._stops,
            "template": {
                **typing.cast(RunnerTemplate, {key: template[key] for key in RUNNER_KEYS}),
                "sha256": self.version.sha256,
                "notebook": self.version.notebook,
            },
            "inputs": template["inputs"],
            "limits": asdict(self._components.limits),
        }

    def prepare(self, arguments: list[Argument]) -> PreparedRun:
        """Check the arguments of a run; see `RunService.start_run` for the order and the errors."""
        template = self.version.template
        values = check_arguments(
            self._parameters,
            arguments,
            lambda file_id: file_id in self._uploads,
            self._components.limits,
            is_open=template["isOpen"],
        )
        files, located = self._place_uploads(values)
        sources: dict[str, str] = {}
        if self._sweep_results is not None:
            located[RUNS_PARAMETER] = self._sweep_results.folder
            files, sources = files + self._sweep_results.files, self._sweep_results.sources
        plain_values = {**values, **located}
        run_id = uuid.uuid4().hex
        recorded_arguments: list[Argument] = [
            {"name": name, "value": MASK if name in self._secret_names else value}
            for name, value in values.items()
        ]
        group_defaults = find_group_defaults(_parse(json.dumps(self.group.parameters)))
        check_translatable(template, {**group_defaults, **plain_values})
        tagged_values = tag_values(
            self._parameters, {**template["defaults"], **group_defaults, **plain_values}
        )
        secrets = {name: value for name, value in tagged_values.items() if name in self._secret_names}
        public_values = {name: value for name, value in plain_values.items() if name not in secrets}
        description: RunDescription = {
            "id": run_id,
            "arguments": recorded_arguments,
            "values": {name: value for name, value in tagged_values.items() if name not in secrets},
            "files": files,
            "located": list(located),
            "fingerprint": None if secrets or sources else self._fingerprint(public_values, files),
            **self._shared_description,
        }
        row: NewRun = {
            "id": run_id,
            "group_id": self.group.id,
            "workflow_id": self.group.workflow_id,
            "version_id": self.version.id,
            "arguments": recorded_arguments,
            "config": self.settings,
            "fingerprint": description["fingerprint"],
            "idempotency_key": self.settings.get("key"),
            "created_by": self._user,
            "uploads": sorted({each["fileId"] for each in files} - sources.keys()),
            **self._place_in_sweep,
        }
        upload_sources = {
            each["fileId"]: upload_key(self.group.id, each["fileId"], self._uploads[each["fileId"]].name)
            for each in files
            if each["fileId"] not in sources
        }
        upload_sources |= sources
        return PreparedRun(row, NewRunDirectory(run_id, description, upload_sources, secrets))

    @contextmanager
    def create_directories(self, prepared: Sequence[PreparedRun]) -> Iterator[None]:
        """Create the directories of prepared runs; the caller commits their rows in the block.

        Raises
        ------
        UnknownKernelError
            The kernelspec is not installed.
        InvalidArgumentError
            ``kernel_name`` names a kernel of another language.
        StorageFullError
            The disk is full; nothing is kept.
        """
        components = self._components
        if prepared:
            check_kernel(components, self.version.template, self.settings)
        if components.files.free_space() < components.limits.disk_floor:
            raise StorageFullError("disk", f"less than {components.limits.disk_floor:,} bytes are free")
        with components.files.create_runs([run.directory for run in prepared], self.version.notebook):
            reach("folder made")
            yield
            reach("accepted")

    def _place_uploads(
        self, values: Mapping[str, JsonValue]
    ) -> tuple[list[PlacedUpload], dict[str, JsonValue]]:
        """Return the uploaded arguments with their paths, and their values with paths instead of files."""
        given = [(name, file) for name, value in values.items() for file in file_references(value)]
        uploads = [self._uploads[file["fileId"]] for _, file in given]
        defaults = {each.name: each.default_paths for each in self._parameters}
        paths = self._placement.place(
            [
                GivenFile(
                    parameter=name,
                    name=upload.name,
                    sha256=upload.sha256,
                    target=self._check_target(name, file.get("targetPath")),
                    defaults=tuple(defaults.get(name, ())),
                    is_used=upload.name in self._used_names | self._names_in_values(values, name),
                )
                for (name, file), upload in zip(given, uploads, strict=True)
            ]
        )
        place = self.version.template["place"]
        files: list[PlacedUpload] = [
            {
                "fileId": upload.id,
                "path": in_working_folder(place, path),
                "sha256": upload.sha256,
                "size": upload.size,
            }
            for upload, path in zip(uploads, paths, strict=True)
        ]
        rest = iter(paths)
        return files, {name: replace_files(values[name], rest) for name in dict(given)}

    def _check_target(self, name: str, target: str | None) -> str | None:
        if target is not None and self.settings.get("cwd") == "notebook":
            raise InvalidArgumentError(
                name,
                "it has a targetPath, but the run works in the notebook's own folder, which gets no uploads",
                "omit the targetPath, or the config key cwd",
            )
        return target

    def _fingerprint(self, values: Mapping[str, JsonValue], files: list[PlacedUpload]) -> str | None:
        """Return a digest of everything that determines the results, or None if that is not known."""
        if self.settings.get("cwd") == "notebook":
            return None  # it reads files as they are when it executes
        determinants = [
            self.version.sha256,
            select_kernel(self.version.template, self.settings),
            {**self.version.template["defaults"], **self._defaults, **values},
            sorted((each["path"], each["sha256"]) for each in files),
            sorted(set(self.settings.get("skip_tags", []))),
            sorted(set(self.settings.get("only_tags", []))),
            self.settings.get("allow_errors", False),
            self.settings.get("environment", {}),
        ]
        return hashlib.sha256(json.dumps(determinants, sort_keys=True).encode()).hexdigest()


def refuse_lost_secrets(row: RunRow, version: Row[Any], group: Row[Any]) -> None:
    """Raise an error if an earlier run cannot be repeated because its secret arguments were not stored.

    Raises
    ------
    InvalidArgumentError
        The run had a secret argument.
    """
    names = {each["name"] for each in row.arguments}
    for parameter in _find_parameters(version, group):
        if parameter.secret and parameter.name in names:
            raise InvalidArgumentError(
                parameter.name, "it is secret and was not stored", "start a new run and give it again"
            )


def _find_parameters(version: Row[Any], group: Row[Any]) -> tuple[Parameter, ...]:
    declarations = version.template["handle"]["parameters"]
    return _parse(json.dumps(declarations)) + _parse(json.dumps(group.parameters))


@lru_cache(maxsize=256)
def _parse(declarations: str) -> tuple[Parameter, ...]:
    """Return parameters with their types built, because building is most of the cost of validation."""
    return tuple(parse_parameters(json.loads(declarations)))
