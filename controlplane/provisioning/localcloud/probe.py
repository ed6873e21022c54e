"""Asking a broker whether it lets a client in: TLS both ways, then CONNECT of MQTT 3.1.1."""

import asyncio
import ssl
from pathlib import Path

from controlplane.provisioning.localcloud.authority import LOOPBACK

PROBE_SECONDS = 5.0
_CLIENT_ID = b"benchline-probe"
_CLEAN_SESSION = 2
_KEEP_ALIVE_S = 10
_ACCEPTED = b"\x20\x02\x00\x00"
_DISCONNECT = b"\xe0\x00"


async def probe(port: int, authority: Path, certificate: Path, key: Path) -> str:
    """Connect with an identity; gives what went wrong in words, empty when it was accepted.

    Only CONNACK proves it: a handshake of TLS 1.3 is over for the client before the broker has
    looked at its certificate.
    """
    try:
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(certificate, key)
        async with asyncio.timeout(PROBE_SECONDS):
            answer = await _connect(port, context)
    except TimeoutError:
        return f"no answer within {PROBE_SECONDS:g} s"
    except ConnectionRefusedError:
        return "nothing listens there"
    except asyncio.IncompleteReadError:
        return "it hung up"
    except (OSError, ssl.SSLError) as error:
        return str(error.strerror or error)
    return "" if answer == _ACCEPTED else "it refused the connection"


async def _connect(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port, ssl=context)
    try:
        variable = b"\x00\x04MQTT\x04" + bytes((_CLEAN_SESSION, 0, _KEEP_ALIVE_S))
        body = variable + len(_CLIENT_ID).to_bytes(2, "big") + _CLIENT_ID
        writer.write(bytes((0x10, len(body))) + body)
        answer = await reader.readexactly(len(_ACCEPTED))
        writer.write(_DISCONNECT)
        await reader.read()  # it hangs up
        return answer
    finally:
        writer.transport.abort()
