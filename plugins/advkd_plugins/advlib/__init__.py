"""The attacks of adv-lib, as evaluators and in training."""
