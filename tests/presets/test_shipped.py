"""What the YAML files that come with the toolkit say: threats, suites, and how the path presets differ."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

import advkd
from advkd.auditing.case import planned
from advkd.registry import entries

THREATS = {
    "digits": 0.2,
    "mnist": 0.3,
    "fashion-mnist": 0.1,
    **dict.fromkeys(
        ("svhn", "cifar10", "cifar100", "cifar10-small", "cifar10-mobilenetv2", "folder"), 8 / 255
    ),
}
STANDARD = {
    "noise": {"draws": 10},
    "fgsm": {},
    "pgd-40": {"steps": 40, "restarts": 5, "step_size": "1/4 eps", "loss": "ce"},
    "cw-linf": {"steps": 40, "restarts": 3, "step_size": "1/4 eps"},
    "apgd-ce": {"steps": 100, "restarts": 1},
    "apgd-t": {"steps": 100, "targets": 9},
    "transfer": {"steps": 40, "step_size": "1/4 eps", "source": "teacher"},
    "kl-teacher": {"steps": 40, "restarts": 2, "step_size": "1/4 eps"},
    "square": {"queries": 5000},
}
PGD_20 = {"steps": 20, "restarts": 1, "step_size": "1/4 eps", "loss": "ce"}
CW = {"steps": 30, "restarts": 1, "step_size": "1/4 eps"}
SUITES = {
    "standard": (STANDARD, True),
    "full": (STANDARD | {"autoattack": {"batch_size": 250, "seed": 0}}, True),
    "compare": (
        {"fgsm": {}, "pgd-20": PGD_20, "cw-linf": CW, **{k: STANDARD[k] for k in ("apgd-ce", "apgd-t")}},
        True,
    ),
    "quick": ({"noise": {"draws": 5}, "fgsm": {}, "pgd-20": PGD_20, "cw-linf": CW}, False),
    "selftest": (
        {"noise": {"draws": 5}, "fgsm": {}, "pgd-20": PGD_20, "cw-linf": CW, "square": {"queries": 400}},
        False,
    ),
}


def shipped(slot):
    return {name for name, claims in entries(slot).items() if claims[0].distribution == "advkd"}


def method(preset):
    return advkd.resolve(f"preset={preset}").resolved["method"]


def test_threats_of_settings():
    assert set(THREATS) == shipped("settings")
    for name, eps in THREATS.items():
        more = ("data.path=images",) if name == "folder" else ()
        threat = advkd.resolve("preset=standard", f"setting={name}", *more).threat
        assert (threat.norm, threat.eps, threat.box) == ("linf", pytest.approx(eps), (0, 1)), name


def test_attacks_of_suites():
    assert set(SUITES) == shipped("suites")
    for name, (wanted, cascade) in SUITES.items():
        plan, dump = planned(name, {})
        found = {key: {k: v for k, v in one.items() if k != "use"} for key, one in dump["evaluators"].items()}
        # the order decides what a later attack meets
        assert (found, list(found)) == (wanted, list(wanted)), name
        assert plan.cascade == cascade
        assert plan.subset == ({"square": 500} if name in ("standard", "full") else {})


def test_path_presets_are_path_dual_but_for_what_they_are_called_after():
    dual = method("path-dual")["branches"]
    assert method("path-single")["branches"] == {"untargeted": dual["untargeted"]}

    uniform = method("path-uniform")["branches"]
    assert uniform != dual
    for name, branch in uniform.items():
        assert branch["terms"]["path"]["weight"] == {"use": "uniform"}
        branch["terms"]["path"]["weight"] = dual[name]["terms"]["path"]["weight"]
    assert uniform == dual

    half, wanted = method("path-half")["branches"], copy.deepcopy(dual)
    for name, which in (("untargeted", "even"), ("targeted", "odd")):
        wanted[name]["path"] = {"use": "half", "path": dual[name]["path"], "which": which}
        wanted[name]["attack"] |= {"steps": 3, "step_size": "1/2 eps"}
    assert half == wanted


@pytest.mark.parametrize("preset", ["kd", "standard"])
def test_presets_without_an_attack_are_their_formulas(preset, student, teacher, batch, threat):
    loss, paths = advkd.loss_of(
        preset, student=student, teacher=teacher, x=batch.x, y=batch.y, threat=threat, progress=0.5
    )
    assert all(torch.equal(path.x[0], batch.x) for path in paths.values())
    z = student(batch.x)
    wanted = F.cross_entropy(z, batch.y)
    if preset == "kd":
        with torch.no_grad():
            soft = torch.softmax(teacher(batch.x) / 4, 1)
        wanted = 0.1 * wanted + 0.9 * 16 * F.kl_div(torch.log_softmax(z / 4, 1), soft, reduction="batchmean")
    assert torch.allclose(loss, wanted, rtol=0, atol=1e-12)
