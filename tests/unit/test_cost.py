"""What a training says it cost."""

import time

import pytest

from advkd.networks.cost import Cost


def test_warm_up_is_what_the_first_block_took_beyond_the_others():
    cost = Cost({})
    assert cost.warm_up == 0
    for seconds in (0.2, 0.01, 0.01, 0.01):
        with cost.counting():
            time.sleep(seconds)
    assert cost.warm_up == pytest.approx(0.19, abs=0.05)
    assert cost.summary()["warm_up_seconds"] < cost.summary()["train_seconds"]


def test_the_warm_up_of_a_run_that_went_on_counts_twice():
    first, second = Cost({}), Cost({})
    for cost in (first, second):
        for seconds in (0.1, 0.0, 0.0):
            with cost.counting():
                time.sleep(seconds)
    alone = second.warm_up
    second.load(first.state())
    assert second.warm_up == pytest.approx(first.warm_up + alone)
