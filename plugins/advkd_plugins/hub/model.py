"""A network from a repository of the Hugging Face hub (`hub`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from advkd.errors import AdvkdError, error
from advkd.models.file import File
from advkd.protocols import ModelSource
from advkd.types import Shape

STUDENT = "student.safetensors"


@dataclass(frozen=True, kw_only=True)
class Hub:
    """The network in the repository `name` (`user/name`): its safetensors `file`, fetched once into a cache.

    `revision` is a branch, tag or commit. What was pushed by this toolkit says which model it holds; for
    files of others give `model`. Every other file is refused: no pickle is read from the hub.
    """

    name: str
    file: str = STUDENT
    revision: str | None = None
    model: ModelSource | None = None

    def __post_init__(self) -> None:
        if not self.file.endswith(".safetensors"):
            raise error("file", "is no safetensors file", given=self.file, remedy="choose one, or convert it")

    def __call__(self, classes: int, shape: Shape) -> nn.Module:
        """The network for images of `shape` (C,H,W), with the weights of the file."""
        return self.saved()(classes, shape)

    def saved(self) -> File:
        """Where it lies after it was fetched."""
        return File(path=str(fetched(self.name, self.file, self.revision)), model=self.model)


def fetched(name: str, file: str = STUDENT, revision: str | None = None) -> Path:
    """The path of a file of the repository `name`, downloaded if the cache does not hold it.

    Raises `AdvkdError` without a connection, for no such repository, revision or file, and without access.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, file, revision=revision))
    # the hub, its transport and the cache each raise exceptions of their own
    except Exception as cause:
        raise refused(cause, name, file) from cause


def refused(cause: Exception, name: str, file: str = "") -> AdvkdError:
    """What an exception of the hub means for who asked for a repository, and what to do."""
    from huggingface_hub import errors

    known: tuple[tuple[type[Exception], str, str], ...] = (
        (errors.HFValidationError, "is not a repository name", "write user/name"),
        (errors.GatedRepoError, "is gated", "accept its terms on the hub and log in: hf auth login"),
        (
            errors.RepositoryNotFoundError,
            "not found, or private",
            "check the name; for a private one log in: hf auth login",
        ),
        (errors.RevisionNotFoundError, "has no such revision", "leave revision out, or check it"),
        (
            errors.LocalEntryNotFoundError,
            "cannot be reached, and is not in the cache",
            "connect once; the cache is kept for later",
        ),
        (
            errors.EntryNotFoundError,
            f"has no file {file}",
            "write file=NAME; and model=NAME unless this toolkit has pushed it",
        ),
        (errors.LocalTokenNotFoundError, "asks for a login", "log in: hf auth login"),
        (errors.OfflineModeIsEnabled, "cannot be reached: HF_HUB_OFFLINE is set", "unset it"),
    )
    for kind, problem, remedy in known:
        if isinstance(cause, kind):
            return error("hub.name", problem, given=name, remedy=remedy)
    problem = f"the hub failed: {type(cause).__name__}: {cause}".splitlines()[0]
    return error("hub.name", problem, given=name, remedy="check the connection, or try later")
