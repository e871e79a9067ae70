"""A relay that wants TLS and a log-in: aiosmtpd. Arguments: certificate, key, and how TLS begins (smtps or starttls).
Says its port, then a line of JSON for each message."""

import asyncio
import base64
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

certificate, key, how = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = {
            "peer": session.peer[1],
            "encrypted": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data.login.decode(),
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "bytes": base64.b64encode(envelope.original_content).decode(),
        }
        print(json.dumps(message), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"care@shop.example", b"p@ss:w/rd")
    return AuthResult(success=right, handled=False, auth_data=data)


def conversation():
    upgraded = how == "starttls"
    return SMTP(
        Handler(),
        tls_context=context if upgraded else None,
        require_starttls=upgraded,
        auth_require_tls=upgraded,
        auth_required=True,
        authenticator=authenticate,
        loop=asyncio.get_running_loop(),
    )


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(conversation, "127.0.0.1", 0, ssl=context if how == "smtps" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
