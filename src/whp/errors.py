"""The errors that a user can cause, and the one helper that states a broken rule."""

from __future__ import annotations

from typing import NoReturn


class WhpError(Exception):
    """Root of all errors raised on purpose; its message is one clear sentence."""

    exit_code = 2


class UsageError(WhpError):
    """A word of the command line, a configuration value or a path is wrong."""


class InputError(WhpError, ValueError):
    """An argument of a public function breaks its stated rule."""


class ClaimError(WhpError):
    """A claim file or the declaration of a claim is wrong."""


class LedgerError(WhpError):
    """The ledger cannot be read or written; it has been left as it was."""


class OutputError(WhpError):
    """A report or a verdict file cannot be written."""


class MeasurementError(WhpError):
    """A trial returned something that is not a finite number."""

    exit_code = 1


class ResourceError(WhpError, MemoryError):
    """The memory of the machine or of its device does not suffice, even in the smallest pieces."""


class ExecutorError(WhpError):
    """What runs the trials cannot be used, or was lost; what was measured is kept."""

    exit_code = 4


def fail(name: str, rule: str, got: object, error: type[WhpError] = InputError) -> NoReturn:
    """Raise ``error`` with the sentence ``name must be RULE, got VALUE``."""
    text = repr(got)
    if len(text) > 120:
        text = text[:117] + "..."
    raise error(f"{name} must be {rule}, got {text}")


def require(ok: bool, name: str, rule: str, got: object, error: type[WhpError] = InputError) -> None:
    """Raise ``error`` unless ``ok``.

    Parameters
    ----------
    ok : bool
        Whether the rule holds.
    name, rule : str
        What is checked, and what must hold, as in ``"d", "a positive integer"``.
    got : object
        The offending value; shown by its ``repr``, shortened.
    error : type
        Which error to raise.
    """
    if not ok:
        fail(name, rule, got, error)
