"""A mail relay for the demo, by aiosmtpd: STARTTLS first, then AUTH, then mail into a Maildir.

usage: relay.py CERTIFICATE KEY MAILDIR USER PASSWORD

Listens on a free port of 127.0.0.1, says `listening PORT`, and one line for each thing that it
insists on. It knows nothing of otpost.
"""

import asyncio
import hmac
import ssl
import sys

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Relay(Mailbox):
    """Keeps each message, and says how it came."""

    async def handle_DATA(self, server, session, envelope):
        version = tls(server)
        print(f"accepted over {version}, signed in as {session.auth_data}", flush=True)
        return await super().handle_DATA(server, session, envelope)


def tls(server):
    connection = server.transport.get_extra_info("ssl_object")
    return connection.version() if connection else "NO TLS"


def authenticator(user, password):
    def judge(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and data.login == user.encode()
        good = good and hmac.compare_digest(data.password, password.encode())
        if not good:
            return AuthResult(success=False, handled=False)
        return AuthResult(success=True, auth_data=user)

    return judge


async def main(certificate, key, maildir, user, password):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    relay = Relay(maildir)

    def connection():
        return SMTP(
            relay,
            hostname="localhost",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            auth_require_tls=True,
            authenticator=authenticator(user, password),
        )

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
