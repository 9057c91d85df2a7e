"""Serves /root/good on 127.0.0.1:8087 in every way that a server should not. What a case serves whole is written to
/root/served-CASE."""

import http.server
import time

GOOD = open("/root/good", "rb").read()
HERE = "http://localhost:8087"

BODIES = {
    "good": GOOD,
    "flipped": GOOD[:700] + bytes([GOOD[700] ^ 1]) + GOOD[701:],
    "longer": GOOD + b"\0",
    "shorter": GOOD[:-1],
    "html": b"<!DOCTYPE html><title>Sign in</title>\n",
    "empty": b"",
}
MOVED = {
    "moved": HERE + "/good",
    "elsewhere": HERE + "/flipped",
    "file": "file:///etc/passwd",
    "ftp": "ftp://localhost/x",
    "loop": HERE + "/loop",
}

for name, body in {**BODIES, "elsewhere": BODIES["flipped"]}.items():
    open(f"/root/served-{name}", "wb").write(body)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/")
        if name in BODIES:
            self.start(200, len(BODIES[name]))
            self.wfile.write(BODIES[name])
        elif name in MOVED:
            self.send_response(302)
            self.send_header("Location", MOVED[name])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif name == "truncated":
            self.start(200, len(GOOD))
            self.wfile.write(GOOD[:100])
        elif name == "huge":
            self.start(200, 1 << 40)
            self.wfile.write(GOOD)
        elif name == "endless":
            self.start(200, None)
            while True:
                self.wfile.write(bytes(65536))
        elif name == "slow":
            self.start(200, len(GOOD))
            for byte in GOOD:
                self.wfile.write(bytes([byte]))
                time.sleep(0.5)
        else:
            self.start(404, 0)

    def start(self, code, length):
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 8087), Handler).serve_forever()
