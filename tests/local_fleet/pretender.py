"""A program that behaves like a service as far as its supervisor can see. FAKE_MODE makes it misbehave."""

import http.server
import json
import os
import signal
import sys
import threading
from collections.abc import Callable


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"environment": dict(os.environ)}).encode()
        self.send_response(503 if os.environ.get("FAKE_MODE") == "never ready" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    mode = os.environ.get("FAKE_MODE", "")
    if mode == "dies":
        sys.exit("no reason to live")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["HTTP_PORT"])), Handler)
    leave: Callable[..., None] = lambda *_: threading.Thread(target=server.shutdown).start()  # noqa: E731
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else leave)
    print("pretending", flush=True)
    server.serve_forever()


main()
