"""Asks an address of this machine every 50 ms until /root/stop is there

usage: upgrade.py URL    says: LOST LONGEST (milliseconds from the last good answer before the worst gap to the first one behind it)

A request that waits is no loss: each has a thread of its own, and 30 s.
"""

import http.client
import ssl
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

EVERY = 0.05

url = urlsplit(sys.argv[1])
trust = ssl.create_default_context(cafile="/etc/paquerette/ca/ca.pem")
good, lost = [], []


class Here(http.client.HTTPSConnection):
    """A connection to this machine, whatever the name leads to"""

    def connect(self):
        import socket

        plain = socket.create_connection(("127.0.0.1", 443), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


def ask():
    asked = time.monotonic()
    try:
        connection = Here(url.hostname, timeout=30, context=trust)
        connection.request("GET", url.path)
        answer = connection.getresponse()
        well = answer.status == 200 and b"version" in answer.read()
        connection.close()
    except OSError:
        well = False
    (good if well else lost).append((asked, time.monotonic()))


threads = []
while not Path("/root/stop").exists():
    thread = threading.Thread(target=ask)
    thread.start()
    threads.append(thread)
    time.sleep(EVERY)
for thread in threads:
    thread.join()
# how long the one waited who asked at the worst moment: until somebody was answered who asked at the same time or later
worst = 0.0
for asked, _ in lost:
    next_good = min((end for begun, end in good if begun >= asked), default=None)
    before = max((begun for begun, _ in good if begun <= asked), default=asked)
    if next_good is not None:
        worst = max(worst, next_good - before)
waited = max((end - asked for asked, end in good), default=0.0)
print(len(lost), round(max(worst, waited) * 1000), f"of {len(good) + len(lost)}")
