"""Little room, said in manifest.yaml: half a core, a quarter of a GiB, and what it takes to see it.

evalbox run sample_tasks/families/narrow/fits --agent sample_tasks/families/narrow/take.yaml
"""


class TaskFamily:
    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {"fits": {"megabytes": 16}, "bursts": {"megabytes": 2048}}

    @staticmethod
    def get_instructions(t: dict) -> str:
        return f"Hold {t['megabytes']} MB of memory, then write done into submission.txt."

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        return float(submission.strip() == "done")
