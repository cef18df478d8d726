"""Receives webhooks, and takes only those that the box really sent.

    EVALBOX_WEBHOOK_PRIVATE=1 python examples/webhook_receiver.py

The setting is needed because this receiver is on the same machine, where a box sends nothing unless
its owner allows it.
"""

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from evalbox import Box
from evalbox.sdk import is_signed

SECRET = "a secret of at least 16 characters"
messages: queue.Queue[dict[str, Any]] = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        genuine = is_signed(SECRET, self.headers["EvalBox-Signature"] or "", body, time.time())
        # Answered at once; what is to be done with it is done elsewhere.
        self.send_response(204 if genuine else 403)
        self.end_headers()
        if genuine:
            messages.put(json.loads(body))

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"

with Box() as box:
    webhook, _ = box.call(lambda service: service.webhooks.create(url, secret=SECRET))
    try:
        box.run("print('hello')", language="py", name="told-of")
        message = messages.get(timeout=30)
        print(message["kind"], message["evaluation"]["name"])
    finally:
        box.call(lambda service: service.webhooks.remove(webhook.id))
