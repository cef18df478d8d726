"""A number to be guessed, scored on the way: the agent sees its scores in one task, not in both.

evalbox run sample_tasks/families/guess --agent sample_tasks/families/guess/search.yaml
"""

from pathlib import Path

GUESS = Path("/home/agent/guess.txt")


class TaskFamily:
    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {"shown": {"number": 37}, "hidden": {"number": 37}}

    @staticmethod
    def get_instructions(t: dict) -> str:
        return (
            f"Write a whole number from 1 to 100 into {GUESS}. The command score tells how it is; "
            "your best guess counts."
        )

    @staticmethod
    def intermediate_score(t: dict) -> dict:
        try:
            guess = int(GUESS.read_text())
        except (OSError, ValueError):
            return {"score": float("nan"), "message": {"problem": f"no number in {GUESS}"}}
        away = abs(guess - t["number"])
        return {
            "score": round(1 - away / 100, 2),
            "message": {"guess": guess},
            "details": {"away": away},
        }

    @staticmethod
    def aggregate_scores(t: dict, score_log: list[dict]) -> float | None:
        # What is not a number is not equal to itself.
        return max((one["score"] for one in score_log if one["score"] == one["score"]), default=0.0)
