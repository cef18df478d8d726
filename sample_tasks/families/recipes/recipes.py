"""Questions to a small database, which the image is given: build steps, assets and install().

evalbox run sample_tasks/families/recipes/longest --submission Bread
"""

import json
import sqlite3
from pathlib import Path

DATABASE = Path("/opt/recipes/recipes.db")


class TaskFamily:
    @staticmethod
    def install() -> None:
        # Run once, when the image is built: with the internet, pip and apt if they are wanted.
        recipes = json.loads(Path("/opt/recipes/recipes.json").read_text())
        with sqlite3.connect(DATABASE) as database:
            database.execute("CREATE TABLE recipe (name TEXT, minutes INTEGER)")
            database.executemany("INSERT INTO recipe VALUES (:name, :minutes)", recipes)
        DATABASE.chmod(0o644)

    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {"longest": {"order": "DESC"}, "shortest": {"order": "ASC"}}

    @staticmethod
    def get_instructions(t: dict) -> str:
        wanted = "longest" if t["order"] == "DESC" else "least"
        return (
            f"Which recipe in the SQLite database {DATABASE} takes {wanted}? "
            "Write its name into /home/agent/submission.txt."
        )

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        with sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True) as database:
            (name,) = database.execute(
                f"SELECT name FROM recipe ORDER BY minutes {t['order']} LIMIT 1"
            ).fetchone()
        return float(submission.strip() == name)
