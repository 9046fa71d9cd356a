"""Counts its visits: server.py PORT. With --check PORT it asks a running one how it is."""

import http.server
import os
import pathlib
import sys
import threading
import urllib.request

visits = pathlib.Path(os.environ["DATA"]) / "visits"
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, "well\n")
        if self.path != "/":
            return self.answer(404, "there is nothing here\n")
        with lock:
            count = int(visits.read_text()) + 1
            visits.write_text(f"{count}\n")
        self.answer(200, f"visit {count}\n")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())


if sys.argv[1] == "--check":
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[2]}/health", timeout=2)
else:
    print(f"serving at port {sys.argv[1]}")
    http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
