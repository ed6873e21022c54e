"""TLS contexts of clients with a certificate, made without a key on any disk."""

import os
import ssl


def client_context(certificate_pem: bytes, key_pem: bytes, ca_pem: bytes) -> ssl.SSLContext:
    """A client's context that proves the server by name and authority; without ``ca_pem`` the
    authorities of this machine are trusted.

    The library reads keys from files alone: it gets one that lives in memory.

    Raises:
        ssl.SSLError: not a certificate and its key.
    """
    if ca_pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=ca_pem.decode("ascii", "replace"))
    else:
        context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    descriptor = os.memfd_create("credential", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(certificate_pem + b"\n" + key_pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
