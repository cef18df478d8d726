"""A server that start() leaves behind, which the agent asks and the scorer asks again.

evalbox run sample_tasks/families/clockwork/wind --agent sample_tasks/families/clockwork/wind.yaml
"""

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SERVER = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Clock(BaseHTTPRequestHandler):
    turns = 0
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(Clock.turns).encode())
    def do_POST(self):
        Clock.turns += 1
        self.do_GET()

HTTPServer(("localhost", 8000), Clock).serve_forever()
"""
URL = "http://localhost:8000/"


class TaskFamily:
    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {"wind": {"turns": 3}}

    @staticmethod
    def get_instructions(t: dict) -> str:
        return f"Wind the clock at {URL} {t['turns']} times. A POST is a turn, a GET counts."

    @staticmethod
    def start(t: dict) -> None:
        Path("/root/clock.py").write_text(SERVER)
        # It keeps the standard output of start() open for as long as it lives.
        subprocess.Popen([sys.executable, "/root/clock.py"])
        for _ in range(100):
            try:
                urllib.request.urlopen(URL)
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError("the clock does not start")

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        turns = int(urllib.request.urlopen(URL).read())
        return 1.0 if turns == t["turns"] else 0.0

    @staticmethod
    def teardown() -> None:
        print("the clock stops with its sandbox")
