"""A student and everything that tells of it, pushed to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from advkd.errors import error
from advkd.networks import weights
from advkd_plugins.hub.card import RESULT, RUN, card, told
from advkd_plugins.hub.model import STUDENT, refused

REPORTS = ("report.html", f"eval/*/{RESULT}", "eval/*/report.html")
"""What goes along where a run has it."""


def push(folder: str | Path, name: str, *, license: str, private: bool = False) -> str:
    """Pushes the student of an ended run to the repository `name` (`user/name`), which is made if need be.

    One commit holds the weights, `run.yaml`, `result.json`, reports, and a model card with the numbers;
    what the run folder says of this machine, such as paths of data, is then public too. `license` is
    that of the weights, by its name on the hub. Returns the address of the commit. Raises `AdvkdError`
    for a run that has not ended, without a login, and without a connection.
    """
    import huggingface_hub as hub

    folder = Path(folder).expanduser()
    what = told(folder)
    _, about = weights.read(folder / STUDENT, "push")
    if about.get("hash") != what.run["hash"]:
        given = f"{about.get('hash')} and {what.run['hash']}"
        raise error("push", f"{STUDENT} and {RUN} do not match", given=given, remedy="see the folder")
    files = [folder / file for file in (STUDENT, RUN, RESULT)]
    files += sorted(file for pattern in REPORTS for file in folder.glob(pattern))
    operations = [hub.CommitOperationAdd(file.relative_to(folder).as_posix(), str(file)) for file in files]
    operations.append(hub.CommitOperationAdd("README.md", card(what, name, license).encode()))
    api = hub.HfApi()
    message = f"Student of {what.run['preset']} on {what.run['setting']}, run {what.run['hash']}"
    try:
        api.create_repo(name, private=private, exist_ok=True)
        return str(api.create_commit(name, operations, commit_message=message).commit_url)
    # the hub and its transport each raise exceptions of their own
    except Exception as cause:
        raise refused(cause, name) from cause
