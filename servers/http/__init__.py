"""The HTTP server: HTTP/1.1 on h11 and HTTP/2 on h2, one port, nothing between the socket and the handler."""
