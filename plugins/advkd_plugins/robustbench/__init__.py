"""RobustBench's model zoo as networks to judge and to learn from."""
