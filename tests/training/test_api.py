"""The Python API, with the user's own modules and data."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from parts import small_net
from torch import nn
from torch.utils.data import TensorDataset

import advkd
from advkd.types import Threat


@pytest.fixture
def sets():
    """Two blobs of brightness: 0 dark, 1 bright, 2 left, 3 right."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 4
    x = 0.2 * torch.rand(400, 1, 6, 6, generator=generator)
    x[y == 1] += 0.8
    x[y == 2, :, :, :3] += 0.8
    x[y == 3, :, :, 3:] += 0.8
    x = x.clamp(0, 1)
    return TensorDataset(x[:300], y[:300]), TensorDataset(x[300:], y[300:])


def test_own_student_teacher_and_data(sets, tiny, tmp_path):
    words = [word for word in tiny if not word.startswith("split")]
    first = advkd.resolve(*words, "preset=standard", "epochs=4")
    teacher = advkd.train(first, student=small_net(8, classes=4).float(), data=sets, out=tmp_path / "t").net
    student = small_net(4, classes=4, seed=3).float()
    run = advkd.resolve(*words, "preset=rslad", "threat.eps=0.05", "epochs=12")
    result = advkd.train(run, student=student, teacher=teacher, data=sets, out=tmp_path / "s")
    assert result.net is student
    assert result.n == 100
    assert result.clean > 0.9
    assert result.teacher.clean > 0.9
    content = json.loads((tmp_path / "s" / "result.json").read_text())
    assert content["given"] == ["data", "student", "teacher"]
    verdict = advkd.evaluate(result.net, sets[1], run.threat, run.evaluation)
    assert verdict.robust == result.robust


def test_load_gives_the_best_student_of_a_run(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=standard", "student.mean=[0.5]", "student.std=[0.25]")
    result = advkd.train(run, out=tmp_path / "run")
    net = advkd.load(tmp_path / "run")
    assert not net.training
    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(net(x), result.net(x))
    with pytest.raises(advkd.AdvkdError, match="no such file"):
        advkd.load(tmp_path / "nowhere")


def test_what_a_run_leaves(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=path-dual")
    result = advkd.train(run, out=tmp_path / "run")
    content = json.loads((tmp_path / "run" / "result.json").read_text())
    wanted = "preset setting hash seed n_test clean robust attacks interval last teacher cost environment"
    assert set(wanted.split()) <= set(content)
    assert content["hash"] == run.hash
    assert 0 <= content["robust"] <= content["clean"] <= 1
    assert set(content["attacks"]) == set(run.evaluation)
    costs = (
        "seconds train_seconds images_per_second student_forwards student_backwards teacher_forwards "
        "teacher_backwards peak_memory_mb warm_up_seconds student_parameters teacher_parameters"
    )
    assert set(costs.split()) == set(content["cost"])
    size = sum(parameter.numel() for parameter in advkd.load(tmp_path / "run").parameters())
    assert content["cost"]["student_parameters"] == size
    examples = np.load(tmp_path / "run" / "examples.npz", allow_pickle=False)
    survived = np.all([examples[f"student.{name}"] for name in ("clean", *run.evaluation)], axis=0)
    assert survived.mean() == content["robust"] == result.robust
    assert {f"{who}.clean" for who in ("student", "last", "teacher")} <= set(examples)
    with pytest.raises(advkd.AdvkdError, match="already holds a run"):
        advkd.train(run, out=tmp_path / "run")


@pytest.mark.parametrize(
    ("preset", "student", "teacher"),
    [
        # 10 attack steps, then forwards of one clean and one attacked batch; eval logits of the start
        ("rslad", (12, 12), (1, 0)),
        ("pgd-at", (11, 11), (0, 0)),
        # the attack of AdaAD asks the teacher too, with gradient; one more forward gives the target
        ("adaad", (11, 11), (11, 10)),
        ("standard", (1, 1), (0, 0)),
        ("mart", (12, 12), (0, 0)),
        # clean target in eval mode besides
        ("trades", (13, 12), (0, 0)),
    ],
)
def test_cost_is_counted_in_images(preset, student, teacher, tiny, tmp_path):
    # augmented, so that the clean teacher is asked anew in every step
    run = advkd.resolve(*tiny, f"preset={preset}", "epochs=1", "augment.flip=true")
    cost = advkd.train(run, out=tmp_path / "run").cost
    images = 8 * 32
    assert (cost["student_forwards"] / images, cost["student_backwards"] / images) == student
    assert (cost["teacher_forwards"] / images, cost["teacher_backwards"] / images) == teacher


@pytest.mark.parametrize("said", [True, False], ids=["model named", "model of the file"])
def test_a_student_can_go_on_from_a_file(said, tiny, tmp_path):
    words = [word for word in tiny if not word.startswith("student")]
    start = {"use": "tiny-cnn", "width": 4}
    first = advkd.train(advkd.resolve(*tiny, "preset=standard", "epochs=6"), out=tmp_path / "a")
    file = tmp_path / "a" / "student.safetensors"
    model = f", model: {start}" if said else ""
    word = f"student={{use: file, path: {file}{model}}}".replace("'", "")
    run = advkd.resolve(*words, "preset=pgd-at", "epochs=1", "optimizer.lr=1e-9", word)
    assert advkd.train(run, out=tmp_path / "b").clean == pytest.approx(first.clean, abs=0.1)
    file.unlink()
    assert advkd.load(tmp_path / "b")(torch.rand(1, 1, 8, 8)).shape == (1, 10)


def test_a_run_that_failed_at_its_start_leaves_its_folder_free(tiny, tmp_path):
    x = TensorDataset(torch.full((40, 1, 8, 8), 2.0), torch.arange(40) % 4)
    run = advkd.resolve(*tiny, "preset=standard", "split.train=null")
    with pytest.raises(advkd.AdvkdError, match="divide by 255"):
        advkd.train(run, data=(x, x), out=tmp_path / "run")
    assert advkd.train(run, out=tmp_path / "run").clean > 0


def test_a_folder_being_written_is_refused(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=standard")

    def again(record):
        if record.name == "train.epochs":
            advkd.train(advkd.resolve(*tiny, "preset=kd"), out=tmp_path / "run")

    with pytest.raises(advkd.AdvkdError, match="another process is writing"):
        advkd.train(run, out=tmp_path / "run", reporters=[again])
    assert "preset: standard" in (tmp_path / "run" / "run.yaml").read_text()


def test_a_loss_that_is_no_number_stops_the_run(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=standard", "optimizer.lr=1e30")
    with pytest.raises(advkd.AdvkdError, match="no longer a finite number"):
        advkd.train(run, out=tmp_path / "run")


def test_loss_of_leaves_everything_as_found(teacher, batch, threat):
    student = small_net(4, seed=1).train()
    student[1].eval()
    student[0].weight.grad = torch.ones_like(student[0].weight)
    before = {k: v.clone() for k, v in student.state_dict().items()}
    loss, _ = advkd.loss_of(
        "path-dual", student=student, teacher=teacher, x=batch.x, y=batch.y, threat=threat
    )
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())
    assert (student[0].weight.grad == 1).all()
    assert student[5].weight.grad is None
    assert student.training
    assert not student[1].training
    loss.backward()
    assert student[5].weight.grad is not None


def test_loss_of_names_what_is_missing(student, batch):
    with pytest.raises(advkd.AdvkdError, match=r"loss_of rslad: needs the network teacher"):
        advkd.loss_of("rslad", student=student, x=batch.x, y=batch.y, threat=Threat(eps=0.1))


def test_a_network_without_batchnorm_or_with_dropout_trains_reproducibly(sets, tiny, tmp_path):
    words = [word for word in tiny if not word.startswith("split")]
    run = advkd.resolve(*words, "preset=trades", "epochs=1")
    states = []
    for name in ("a", "b"):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 4))
        states.append(advkd.train(run, student=net, data=sets, out=tmp_path / name).net.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


@pytest.mark.parametrize("name", ["student.safetensors", "table.csv", "report.html", "result.json"])
def test_files_of_somebody_else_are_not_written_over(name, tiny, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(advkd.AdvkdError, match=f"would overwrite: {name}"):
        advkd.train(advkd.resolve(*tiny, "preset=standard"), out=tmp_path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]


def test_a_network_of_ones_own_is_known_to_the_toolbox_and_not_to_load(tiny, tmp_path):
    run = advkd.resolve(*tiny, "preset=standard")
    net = advkd.train(run, student=small_net(3, classes=10).float(), out=tmp_path / "run").net
    assert advkd.to_art(net).input_shape == (1, 8, 8)
    with pytest.raises(advkd.AdvkdError, match=r"(?s)does not say which model.*load_state_dict"):
        advkd.load(tmp_path / "run")
