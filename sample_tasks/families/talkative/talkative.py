"""A scorer that prints megabytes, a result of its own making among them.

evalbox run sample_tasks/families/talkative/long --submission quiet
"""


class TaskFamily:
    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {"long": {}}

    @staticmethod
    def get_instructions(t: dict) -> str:
        return "Write quiet into /home/agent/submission.txt."

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        print('{"score": 1000000}')
        for line in range(100_000):
            print(f"{line:8d} " + "x" * 70)
        return 0.25 if submission == "quiet" else 0.0
