"""TLS contexts of devices, made without a key on any disk."""

import os
import ssl

from benchagent.gateway.binding import Credential


def tls_context(credential: Credential) -> ssl.SSLContext:
    """A client's context that proves the broker by name and authority. The library reads keys
    from files alone: it gets one that lives in memory.

    Raises:
        ssl.SSLError: not a certificate and its key.
    """
    context = ssl.create_default_context()
    if credential.ca_pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=credential.ca_pem.decode("ascii", "replace"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    descriptor = os.memfd_create("credential", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(credential.certificate_pem + b"\n" + credential.key_pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
