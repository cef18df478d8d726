"""An essay, which people score: its score is None.

evalbox run sample_tasks/families/essay/rain --submission @essay.txt
evalbox score ID 0.8 --by NAME --note "clear, a little long"
"""


class TaskFamily:
    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {"rain": {"subject": "rain"}, "bread": {"subject": "bread"}}

    @staticmethod
    def get_instructions(t: dict) -> str:
        return f"Write 200 words on {t['subject']} into /home/agent/submission.txt."

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        # What is empty needs nobody to read it.
        return None if submission.strip() else 0.0
