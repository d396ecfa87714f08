"""What a reader has to know of how the numbers came about."""

from __future__ import annotations

from collections.abc import Iterator

from advkd.config.differing import LEARNED, differing, told
from advkd.config.run import UNHASHED
from advkd.reporting.material import Material
from advkd.reporting.teacher import teachers
from advkd.reporting.words import way
from advkd.result import percent
from advkd.training.folder import CODE, GIVEN, IMAGES

NOT_SHARED = (*LEARNED, "modifiers", *UNHASHED, "setting", "hash", "evaluation", GIVEN, IMAGES, CODE)
"""What of a run's file two runs need not share: it is what is learned, or told elsewhere."""


def notes(material: Material) -> Iterator[str]:
    """What a reader has to know of how the numbers came about."""
    said = [note for row in material.rows if row.history for note in row.history.notes]
    yield from dict.fromkeys(said)
    if len(material.rows) > 1:
        yield (
            "Accuracies hold for this setting: its data, student, teacher and threat. Another may "
            "rank the methods differently."
        )
    if material.groups and material.images.endswith("validation images"):
        yield "These images also served to select each student's best epoch, so accuracies are optimistic."
    yield from _engines(material)
    yield from _settings(material)
    if len(teachers(material)) > 1:
        yield "These students have learned from different teachers, so none is shown beside them."
    yield from _spared(material)
    if material.comparison is not None:
        yield _of_costs(material)
    unaudited = [g.name for g in material.groups if any(judged.audit is None for judged in g.judged)]
    if unaudited:
        yield (
            f"Not audited: {', '.join(unaudited)}. These numbers are unchecked; "
            "advkd eval RUN suite=standard checks them."
        )


def _spared(material: Material) -> Iterator[str]:
    """Attacks that have not met every image that stands, as a suite's `subset` asks."""
    judged = [one for group in material.groups for one in group.judged if one.complete]
    for attack in dict.fromkeys(name for one in judged for name in one.attacks):
        ran = [one for one in judged if attack in one.right and one.survivors.any()]
        shares = [float((one.survivors & ~one.tried[attack]).sum() / one.survivors.sum()) for one in ran]
        if any(shares):
            yield (
                f"{attack} was run on some of the images still unbroken then. Of those counted as "
                f"robust, {percent(min(shares))} to {percent(max(shares))} %, by student, have not met it."
            )


def _of_costs(material: Material) -> str:
    told = {str(row.history.environment.get("threads", "?")) for row in material.rows if row.history}
    return (
        "Wall times depend on what else the machine did and on the number of threads for each student: "
        f"{' or '.join(sorted(told))}. They are no measure of a method. TFLOP, where they are known, are "
        "floating point operations of one training, those of student and teacher, counted by torch on steps "
        "of that very run; neither training the teacher nor validation is in them. Passes are images sent "
        "through student or teacher, forward or backward."
    )


def _settings(material: Material) -> Iterator[str]:
    """What runs side by side do not share besides their method; a comparison tells that of its entrants."""
    if material.comparison is None:
        options = {group.name: group.first.config for group in material.groups if group.first.config}
        for key, values in differing(options, NOT_SHARED).items():
            yield f"These runs differ in more than their method, in {key}: {told(values)}."


def _engines(material: Material) -> Iterator[str]:
    """Students that differ in more than their method: precision, or compiled or not."""
    made: dict[str, dict[str, None]] = {}
    for row in material.rows:
        if row.history and row.history.engine:
            made.setdefault(way(row.history.engine), {})[row.name] = None
    if len(made) > 1:
        told = "; ".join(f"{engine}: {', '.join(names)}" for engine, names in made.items())
        yield f"Students were not all trained by one engine, so they differ in more than method: {told}."
