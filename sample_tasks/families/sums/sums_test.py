from sums import TaskFamily


def test_the_sum_is_right() -> None:
    task = TaskFamily.get_tasks()["small"]
    assert TaskFamily.score(task, "42") == 1.0
    assert TaskFamily.score(task, " 42\n") == 1.0


def test_anything_else_is_wrong() -> None:
    task = TaskFamily.get_tasks()["small"]
    assert TaskFamily.score(task, "") == 0.0
    assert TaskFamily.score(task, "forty-two") == 0.0
