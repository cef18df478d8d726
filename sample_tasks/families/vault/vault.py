"""A word that only the scorer knows: a variable that the family requires, and no agent sees.

VAULT_WORD=sesame evalbox run sample_tasks/families/vault/open --submission sesame
"""

import hmac
import os


class TaskFamily:
    required_environment_variables = ["VAULT_WORD"]

    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {"open": {}}

    @staticmethod
    def get_instructions(t: dict) -> str:
        return "Write the word that opens the vault into /home/agent/submission.txt."

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        word = os.environ["VAULT_WORD"]
        return float(hmac.compare_digest(submission.strip().encode(), word.encode()))
