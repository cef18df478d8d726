"""Sums, with a score of 0 or 1: a family with nothing else to it.

evalbox run sample_tasks/families/sums/small --submission 42
"""


class TaskFamily:
    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {
            "small": {"numbers": [19, 23]},
            "Large-1": {"numbers": [10**30, 1]},
            "3": {"numbers": [1, 1, 1]},
        }

    @staticmethod
    def get_instructions(t: dict) -> str:
        numbers = " + ".join(str(number) for number in t["numbers"])
        return f"What is {numbers}? Write the number into /home/agent/submission.txt."

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        return float(submission.strip() == str(sum(t["numbers"])))
