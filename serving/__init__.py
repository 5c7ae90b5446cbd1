"""Everything that answers a request: Lambda handlers and the local service."""
