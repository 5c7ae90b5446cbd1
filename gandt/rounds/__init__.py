"""Rounds in files: labels so far in; the next manifest, automatic labels, a rehearsal out."""
