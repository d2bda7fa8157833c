"""Certificates for the HTTPS port, made anew at each start. Their private keys stay in this process."""

from __future__ import annotations

import ssl

import trustme

ALPN = ("h2", "http/1.1")


def make_tls(host: str) -> tuple[ssl.SSLContext, str]:
    """A server's context for ``host``, and the PEM of the authority that a client has to trust."""
    authority = trustme.CA(organization_name="Cancelloscope", organization_unit_name="lab, one session")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, "localhost").configure_cert(context)
    context.set_alpn_protocols(list(ALPN))
    return context, authority.cert_pem.bytes().decode("ascii")
