"""A relay that takes mail after STARTTLS and a login, and notes each message as a line of JSON."""

import json
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Notes:
    async def handle_DATA(self, server, session, envelope):
        note = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": envelope.content.decode("utf-8", "replace"),
            "tls": session.ssl is not None,
            "login": session.auth_data.decode() if session.auth_data else None,
        }
        with open("/root/mails", "a", encoding="utf-8") as file:
            file.write(json.dumps(note) + "\n")
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    good = data.login == sys.argv[1].encode() and data.password == sys.argv[2].encode()
    return AuthResult(success=good, auth_data=data.login if good else None)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/root/relay.pem", "/root/relay.key")
Controller(
    Notes(),
    hostname="0.0.0.0",
    port=587,
    tls_context=context,
    require_starttls=True,
    authenticator=login,
    auth_required=True,
    auth_exclude_mechanism=[],
).start()
while True:
    time.sleep(60)
