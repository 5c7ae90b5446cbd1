"""Automatic labels: made, written, and measured by an audit."""
