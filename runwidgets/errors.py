"""The tree of errors; each error knows the HTTP status that fits it, but no web framework.

::

    RunWidgetsError                    500
      UnauthenticatedAccessError       401
      UnauthorizedAccessError          403
      UnknownObjectError               404
        UnknownRunError                404
        UnknownWorkflowError           404
        UnknownWorkflowGroupError      404
        UnknownFileError               404
        UnknownSweepError              404
        UnknownParameterError          400
        UnknownKernelError             400
      ConstraintViolationError         400
        InvalidArgumentError           400
        MissingArgumentError           400
        DuplicateArgumentError         400
        InvalidParameterError          400
        InvalidTemplateError           400
        InvalidRunStateError           409
      MethodNotAllowedError            405
      FileTooLargeError                413
      RequestTooLargeError             413
      UnsupportedMediaTypeError        415
      QueueFullError                   429
      StorageFullError                 507
      VersionMismatchError             500
        SchemaTooNewError              500
      ServiceUnavailableError          503

A message is composed in one place, from what is at fault (`subject`), what is wrong with it (`problem`)
and what would be right (`remedy`): ``alpha: 'abc' is not a number``.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from runwidgets.schema import ErrorBody


class RunWidgetsError(Exception):
    """The base class of all errors that runwidgets raises on purpose.

    Parameters
    ----------
    subject : str
        The name of the thing at fault.
    problem : str
        What is wrong with it.
    remedy : str, optional
        What would be right.
    point : int, optional
        The number of the point of a sweep that is at fault.
    """

    status: ClassVar[int] = 500

    def __init__(
        self, subject: str, problem: str, remedy: str | None = None, *, point: int | None = None
    ) -> None:
        self.subject = subject
        self.problem = problem
        self.remedy = remedy
        self.point = point
        sentence = f"{subject}: {problem}" if subject else problem
        if point is not None:
            sentence = f"point {point}: {sentence}"
        self.message = f"{sentence}; {remedy}" if remedy else sentence
        super().__init__(self.message)

    def to_json(self) -> ErrorBody:
        """Return the body of an error response, which also names what is at fault.

        Returns
        -------
        dict
            ``{"message", "error", "subject"?, "problem"?, "point"?}``.
        """
        body: ErrorBody = {"message": self.message, "error": type(self).__name__}
        if self.subject:
            body["subject"] = self.subject
        if self.problem:
            body["problem"] = self.problem
        if self.point is not None:
            body["point"] = self.point
        return body


class UnauthenticatedAccessError(RunWidgetsError):
    """The request is not authenticated."""

    status = 401


class UnauthorizedAccessError(RunWidgetsError):
    """The user is not permitted to do this."""

    status = 403


class UnknownObjectError(RunWidgetsError, LookupError):
    """There is no object with this identifier."""

    status = 404


class UnknownRunError(UnknownObjectError):
    """There is no such run."""


class UnknownWorkflowError(UnknownObjectError):
    """There is no such workflow."""


class UnknownWorkflowGroupError(UnknownObjectError):
    """There is no such group."""


class UnknownFileError(UnknownObjectError):
    """There is no such upload or result file."""


class UnknownSweepError(UnknownObjectError):
    """There is no such sweep."""


class UnknownParameterError(UnknownObjectError):
    """An argument names a parameter that the template does not declare."""

    status = 400


class UnknownKernelError(UnknownObjectError):
    """The kernelspec of a run is not installed where the run would execute, or is damaged."""

    status = 400


class ConstraintViolationError(RunWidgetsError, ValueError):
    """A request breaks a rule."""

    status = 400


class InvalidArgumentError(ConstraintViolationError):
    """A value does not fit its parameter."""


class MissingArgumentError(ConstraintViolationError):
    """A required parameter got no argument."""


class DuplicateArgumentError(ConstraintViolationError):
    """A parameter got more than one argument."""


class InvalidParameterError(ConstraintViolationError):
    """The declaration of a parameter is invalid in itself."""


class InvalidTemplateError(ConstraintViolationError):
    """A notebook cannot be read as a template."""


class InvalidRunStateError(ConstraintViolationError):
    """The operation is not allowed in the current state of the run."""

    status = 409


class MethodNotAllowedError(RunWidgetsError):
    """The route does not support this HTTP method.

    Parameters
    ----------
    subject, problem, remedy, point
        As of every error.
    allowed : sequence of str, optional
        The methods that the route supports.
    """

    status = 405

    def __init__(
        self,
        subject: str,
        problem: str,
        remedy: str | None = None,
        *,
        point: int | None = None,
        allowed: Sequence[str] = (),
    ) -> None:
        super().__init__(subject, problem, remedy, point=point)
        self.allowed = list(allowed)

    def to_json(self) -> ErrorBody:
        """Return the body of an error response, with the methods in ``allowed``."""
        return {**super().to_json(), "allowed": self.allowed}


class FileTooLargeError(RunWidgetsError):
    """A file exceeds the size limit."""

    status = 413


class RequestTooLargeError(RunWidgetsError):
    """The body of a request exceeds the size limit."""

    status = 413


class UnsupportedMediaTypeError(RunWidgetsError):
    """The route does not accept the content type of the body."""

    status = 415


class QueueFullError(RunWidgetsError):
    """The maximum number of runs is waiting already."""

    status = 429


class StorageFullError(RunWidgetsError):
    """The disk is full."""

    status = 507


class VersionMismatchError(RunWidgetsError):
    """Another version of this software wrote or said something that this version does not know."""


class SchemaTooNewError(VersionMismatchError):
    """The database was written by a newer release; raised at startup only."""


class ServiceUnavailableError(RunWidgetsError):
    """The database or the server does not respond at the moment; a later try may succeed."""

    status = 503


def describe(error: BaseException) -> str:
    """Return the name of an exception and its text, if it has one: ``ValueError: wrong``, ``ValueError``."""
    return join_name_and_text(type(error).__name__, str(error))


def join_name_and_text(name: str, text: str) -> str:
    """Return the name of an exception, followed by its text unless that is blank."""
    return f"{name}: {text}" if text.strip() else name


def describe_cell_error(name: str, text: str) -> str:
    """Return how a cell failed, as the part of a sentence whose subject is the cell.

    Parameters
    ----------
    name : str
        Of the exception; blank where the kernel has none. Then the text is a message, or the status with
        which the last command of a shell ended. **Source:** bash_kernel 0.10, ``do_execute``.
    text : str
        Of the exception; may be blank.

    Returns
    -------
    str
        Without a colon at its end that would announce something.
    """
    if name.strip():
        return f"raised {join_name_and_text(name, text)}"
    if text.strip().isdecimal():
        return f"ended with exit status {text.strip()}"
    return join_name_and_text("failed", text)


def _classes(root: type[RunWidgetsError]) -> list[type[RunWidgetsError]]:
    return [root, *(each for child in root.__subclasses__() for each in _classes(child))]


def from_json(body: Mapping[str, object], status: int) -> RunWidgetsError:
    """Recreate the error that the other side raised.

    Parameters
    ----------
    body : dict
        The result of `RunWidgetsError.to_json`.
    status : int
        The HTTP status; it selects the class when the class name is unknown.

    Returns
    -------
    RunWidgetsError
        An instance of the same class, with the same message, subject, problem and point.
    """
    classes = _classes(RunWidgetsError)
    named = [cls for cls in classes if cls.__name__ == body.get("error")]
    fitting = [cls for cls in classes if cls.status == status]
    error_class = (named or fitting or [RunWidgetsError])[0]
    error = error_class("", str(body.get("message") or f"the server answered {status}"))
    error.subject = str(body.get("subject", ""))
    error.problem = str(body.get("problem", error.problem))
    point = body.get("point")
    error.point = point if isinstance(point, int) else None
    allowed = body.get("allowed")
    if isinstance(error, MethodNotAllowedError) and isinstance(allowed, list):
        error.allowed = [str(each) for each in allowed]
    return error
