"""The Hugging Face hub, with a folder in its place: loading and pushing. No network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from advkd_plugins.hub.model import Hub, fetched
from advkd_plugins.hub.upload import push
from click.testing import CliRunner
from huggingface_hub import errors

import advkd
from advkd import AdvkdError
from advkd.cli import main
from advkd.config.build import member
from advkd.networks import weights

NAME = "someone/robust-digits"
FEW = ("split.train=300", "split.test=60", "evaluation.pgd-20.restarts=1")


class Fake:
    """A hub that is a folder: `hf_hub_download` and the parts of `HfApi` that are used."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.fails, self.made = folder, None, []

    def hf_hub_download(self, repo_id, filename, *, revision=None):
        if self.fails:
            raise self.fails
        path = self.folder / repo_id / (revision or "main") / filename
        if not path.parent.is_dir():
            raise blank(errors.RepositoryNotFoundError)
        if not path.is_file():
            raise blank(errors.EntryNotFoundError)
        return str(path)

    def create_repo(self, repo_id, *, private=None, exist_ok=False):
        if self.fails:
            raise self.fails
        assert exist_ok
        self.made.append((repo_id, private))

    def create_commit(self, repo_id, operations, *, commit_message):
        for operation in operations:
            path = self.folder / repo_id / "main" / operation.path_in_repo
            path.parent.mkdir(parents=True, exist_ok=True)
            content = operation.path_or_fileobj
            path.write_bytes(content if isinstance(content, bytes) else Path(content).read_bytes())
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1", message=commit_message)


def blank(kind: type[Exception]) -> Exception:
    """An error of the hub without the response of a server."""
    return kind.__new__(kind)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    fake = Fake(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fake.hf_hub_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: fake)
    return fake


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    words = ("preset=standard", "setting=digits", "epochs=8", "student.width=8", "batch_size=16")
    advkd.train(advkd.resolve(*words, *FEW), out=folder)
    return folder


@pytest.fixture
def run(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_a_pushed_student_comes_back_as_it_was(run, hub):
    assert push(run, NAME, license="mit", private=True) == f"https://hub/{NAME}/commit/1"
    assert hub.made == [(NAME, True)]
    pushed = sorted(file.name for file in (hub.folder / NAME / "main").iterdir())
    assert pushed == ["README.md", "result.json", "run.yaml", "student.safetensors"]
    x = torch.rand(5, 1, 8, 8)
    own = advkd.load(run)(x)
    source = member("models", f"hub:{NAME}", "teacher")[0]
    assert torch.equal(source(10, (1, 8, 8)).eval()(x), own)
    assert torch.equal(advkd.load(fetched(NAME))(x), own)
    with pytest.raises(AdvkdError, match="was trained for 10 classes, the data has 7"):
        source(7, (1, 8, 8))


def test_it_is_a_teacher_and_a_target_by_name(run, hub, tmp_path):
    push(run, NAME, license="mit")
    words = ("setting=digits", "suite=quick", "curves.images=0", "limit=20", f"out={tmp_path / 'audit'}")
    done = CliRunner().invoke(main, ["eval", f"hub:{NAME}", *words])
    assert done.exit_code == 0, done.output
    resolved = advkd.resolve("preset=kd", "setting=digits", f"teacher=hub:{NAME}", "epochs=1", *FEW)
    result = advkd.train(resolved, out=tmp_path / "student")
    assert result.teacher.clean == pytest.approx(json.loads((run / "result.json").read_text())["clean"])


def test_as_a_teacher_it_is_held_to_what_its_file_says(run, hub, tmp_path):
    state, about = weights.read(run / "student.safetensors", "test")
    # three classes change their places, the record stays
    for name in ("net.linear.weight", "net.linear.bias"):
        state[name] = state[name][[1, 2, 0, *range(3, 10)]]
    weights.write(run / "student.safetensors", state, about)
    push(run, NAME, license="mit")
    resolved = advkd.resolve("preset=kd", "setting=digits", f"teacher=hub:{NAME}", "epochs=1", *FEW)
    with pytest.raises(AdvkdError, match="its record says"):
        advkd.train(resolved, out=tmp_path / "student")


def test_reports_go_along_and_the_card_tells_of_audits(run, hub):
    advkd_eval = ("suite=quick", "curves.images=0", "limit=20", "rows=[best]")
    assert CliRunner().invoke(main, ["eval", str(run), *advkd_eval]).exit_code == 0
    (run / "report.html").write_text("<html></html>")
    push(run, NAME, license="mit")
    main_branch = hub.folder / NAME / "main"
    files = {path.relative_to(main_branch).as_posix() for path in main_branch.rglob("*") if path.is_file()}
    (audit,) = (path.name for path in (run / "eval").iterdir())
    assert {"report.html", f"eval/{audit}/report.html", f"eval/{audit}/result.json"} < files
    assert not [file for file in files if file.endswith((".npz", ".jsonl", ".lock"))]
    assert "| quick | linf eps 0.2 | 20 |" in (main_branch / "README.md").read_text()


def test_a_student_of_a_comparison_has_the_numbers_of_its_audit(run, hub):
    """Such a run leaves judging to the audit."""
    result = json.loads((run / "result.json").read_text())
    unjudged = {"robust": None, "n_test": 0, "attacks": {}}
    (run / "result.json").write_text(json.dumps(result | unjudged))
    with pytest.raises(AdvkdError, match=r"never judged on test images under its own threat\n.*advkd eval"):
        push(run, NAME, license="mit")
    words = ("suite=quick", "curves.images=0", "rows=[best]")
    # larger, but of other images, or under another threat
    for other in (("part=validation",), ("threat.eps=0.1", "limit=40")):
        assert CliRunner().invoke(main, ["eval", str(run), *words, *other]).exit_code == 0
    with pytest.raises(AdvkdError, match="never judged on test images"):
        push(run, NAME, license="mit")
    assert CliRunner().invoke(main, ["eval", str(run), *words, "limit=20"]).exit_code == 0
    push(run, NAME, license="mit")
    text = (hub.folder / NAME / "main" / "README.md").read_text()
    found = [json.loads(file.read_text()) for file in run.glob("eval/*/result.json")]
    (own,) = (about for about in found if about["n_test"] == 20)
    assert "## Accuracy on 20 test images" in text
    assert f"| worst case | {100 * own['robust']:.1f} |" in text


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        (errors.RepositoryNotFoundError, "not found, or private"),
        (errors.GatedRepoError, "is gated"),
        (errors.RevisionNotFoundError, "has no such revision"),
        (errors.EntryNotFoundError, "has no file student.safetensors"),
        (errors.LocalEntryNotFoundError, "cannot be reached, and is not in the cache"),
        (errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set"),
        (errors.HFValidationError, "is not a repository name"),
    ],
)
def test_what_the_hub_says_no_to(fails, says, hub, run):
    hub.fails = blank(fails)
    with pytest.raises(AdvkdError, match=says) as caught:
        Hub(name=NAME)(10, (1, 8, 8))
    assert caught.value.problems[0].place == "hub.name"
    assert caught.value.problems[0].remedy
    if fails is errors.OfflineModeIsEnabled:
        with pytest.raises(AdvkdError, match=says):
            push(run, NAME, license="mit")


def test_a_failure_of_any_other_kind_keeps_its_words(hub):
    hub.fails = ConnectionResetError("peer closed\nlong page")
    with pytest.raises(AdvkdError, match="the hub failed: ConnectionResetError: peer closed") as caught:
        fetched(NAME)
    assert "long page" not in str(caught.value)


def test_files_of_others_need_a_model_and_pickles_are_refused(hub, tmp_path):
    other = hub.folder / "other/net" / "v2"
    other.mkdir(parents=True)
    source = member("models", {"use": "tiny-cnn", "width": 4}, "model")[0]
    net = source(10, (3, 32, 32)).eval()
    from safetensors.torch import save_file

    save_file({k: v.clone() for k, v in net.state_dict().items()}, other / "model.safetensors")
    options = {"name": "other/net", "file": "model.safetensors", "revision": "v2"}
    with pytest.raises(AdvkdError, match="does not say which model"):
        Hub(**options)(10, (3, 32, 32))
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(Hub(**options, model=source)(10, (3, 32, 32)).eval()(x), net(x))
    with pytest.raises(AdvkdError, match="is no safetensors file"):
        Hub(name="other/net", file="pytorch_model.bin")


def test_what_cannot_be_pushed(run, hub):
    state, about = weights.read(run / "student.safetensors", "test")
    weights.write(run / "student.safetensors", state, {**about, "hash": "0"})
    with pytest.raises(AdvkdError, match="do not match"):
        push(run, NAME, license="mit")
    (run / "result.json").unlink()
    with pytest.raises(AdvkdError, match=r"it has no result.json\n.*\n.*advkd run resume="):
        push(run, NAME, license="mit")
    assert hub.made == []
