"""A team at work on a box: see docs/api.md for the command.

Its users are to the box what a CI, a person with a dashboard and a reader of the feed are.
EVALBOX_KEY is a key of scope submit; EVALBOX_LOAD_COMMAND what an evaluation runs, as JSON, by
default an echo.
"""

from __future__ import annotations

import json
import os
import random
from collections import deque
from typing import Any, ClassVar

from locust import HttpUser, between, task

COMMAND = json.loads(os.environ.get("EVALBOX_LOAD_COMMAND", '["echo", "hello"]'))
STATES = ("queued", "running", "completed", "failed")


class _User(HttpUser):
    abstract = True
    wait_time = between(0.1, 0.5)

    #: Ids that anybody of this process has made, the newest last.
    made: ClassVar[deque[str]] = deque(maxlen=1000)

    def on_start(self) -> None:
        self.client.headers["Authorization"] = f"Bearer {os.environ['EVALBOX_KEY']}"

    def ask(self, method: str, path: str, *, name: str = "", **options: Any) -> Any:
        """The answer as JSON. ``name`` is that of its row in the report."""
        answer = self.client.request(method, f"/api/v1{path}", name=name or path, **options)
        answer.raise_for_status()
        return answer.json()

    def some(self) -> str:
        """The id of an evaluation that is there."""
        if not self.made:
            self.submit()
        return random.choice(self.made)

    def submit(self) -> str:
        body = {"command": COMMAND, "batch": "load", "labels": {"user": type(self).__name__}}
        found: str = self.ask("POST", "/evaluations", json=body, name="submit")["id"]
        self.made.append(found)
        return found


class Integration(_User):
    """Queues, waits for the end, and fetches what came of it."""

    weight = 5

    @task(6)
    def see_through(self) -> None:
        made = self.submit()
        self.ask("GET", f"/evaluations/{made}", params={"wait": 5}, name="wait")
        self.client.get(f"/api/v1/evaluations/{made}/output", name="output")

    @task(1)
    def sweep(self) -> None:
        one = {"command": COMMAND, "batch": "load", "priority": "low"}
        body = {"evaluations": [one] * 20}
        page = self.ask("POST", "/evaluations/batch", json=body, name="submit 20")
        self.made.extend(item["id"] for item in page["items"])

    @task(1)
    def give_up(self) -> None:
        made = self.submit()
        path = f"/api/v1/evaluations/{made}/cancel"
        with self.client.post(path, name="cancel", catch_response=True) as answer:
            # What has ended meanwhile is not cancelled.
            if answer.status_code in (200, 409):
                answer.success()


class Person(_User):
    """Looks at lists, and into one evaluation and another."""

    weight = 4

    @task(5)
    def look(self) -> None:
        query = {"state": random.choice(STATES), "limit": 50}
        page = self.ask("GET", "/evaluations", params=query, name="list")
        if page["next"]:
            self.ask("GET", "/evaluations", params=query | {"cursor": page["next"]}, name="list on")

    @task(3)
    def look_into_one(self) -> None:
        made = self.some()
        self.ask("GET", f"/evaluations/{made}", name="get")
        self.ask("GET", f"/evaluations/{made}/attempts", name="attempts")
        self.ask("GET", f"/evaluations/{made}/events", name="events of one")

    @task(2)
    def overview(self) -> None:
        self.ask("GET", "/queue")
        self.ask("GET", "/host")
        self.ask("GET", "/batches/load")


class Follower(_User):
    """Reads what happened, as a client does that came back."""

    weight = 1
    position = 0

    @task
    def catch_up(self) -> None:
        query = {"after": self.position, "limit": 500}
        page = self.ask("GET", "/events", params=query, name="events")
        if page["items"]:
            self.position = page["items"][-1]["seq"]
