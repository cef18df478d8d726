"""One task with the internet and one without: permissions decide.

evalbox run sample_tasks/families/reach --agent sample_tasks/families/reach/look.yaml
"""


class TaskFamily:
    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {
            "online": {"permissions": ["full_internet"], "answer": "yes"},
            "offline": {"permissions": [], "answer": "no"},
        }

    @staticmethod
    def get_permissions(t: dict) -> list[str]:
        return t["permissions"]

    @staticmethod
    def get_instructions(t: dict) -> str:
        return "Is there a way out of here? Write yes or no into /home/agent/submission.txt."

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        return float(submission.strip() == t["answer"])
