"""Say what went wrong in one sentence, with the remedy.

Every mistake a user can make raises from this tree; the command line prints the message and leaves
with the exit code::

    TinctError               1  anything below; catch this one to catch all
    ├── UsageError           2  settings out of range or at odds (also a ValueError)
    ├── PictureError         3  a picture cannot be read: damaged, unsupported, too large
    ├── SaveError            4  a result cannot be written: exists, no permission, disk full
    ├── ModelError           5  a model bundle is missing, damaged or does not fit
    ├── DeviceError          6  the asked-for device is not available, or ran out of memory
    ├── MissingExtraError    7  an optional part of tinct is not installed
    ├── PartialError         8  some of several pictures failed; the others are done
    └── TrainingError        9  a training run cannot start, go on or be resumed

Messages name the wrong value and say what to do. tinct's own mistakes are ``assert`` failures.
"""

from __future__ import annotations


class TinctError(Exception):
    """Base of all errors that tinct raises on purpose."""

    exit_code = 1


class UsageError(TinctError, ValueError):
    """A setting is out of range, or settings do not go together."""

    exit_code = 2


class PictureError(TinctError):
    """A picture cannot be read."""

    exit_code = 3


class SaveError(TinctError):
    """A result cannot be written; whatever was there before is untouched."""

    exit_code = 4


class ModelError(TinctError):
    """A model bundle is missing, damaged or does not fit the request."""

    exit_code = 5


class DeviceError(TinctError):
    """The asked-for device is not available here, or ran out of memory."""

    exit_code = 6


class MissingExtraError(TinctError):
    """An optional part of tinct is not installed."""

    exit_code = 7


class PartialError(TinctError):
    """Some of several pictures failed; the others are done."""

    exit_code = 8


class TrainingError(TinctError):
    """A training run cannot start, go on or be resumed."""

    exit_code = 9
