"""Mail: an outbox that is written with what happens, and delivered off the request."""
