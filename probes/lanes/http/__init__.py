"""The HTTP lanes: httpx over HTTP/1.1 and HTTP/2, in clear text (h2c with prior knowledge) and over TLS.

``session`` is what the runs share, ``lane`` one call of one run, ``stages`` brings it into its phase, ``company`` are
the other requests of its client, ``network`` and ``names`` stand below httpcore, ``library`` says which httpx it is.
"""

from probes.lanes.http.session import HttpSession

__all__ = ["HttpSession"]
