"""The local HTTP service: people label in the browser."""
