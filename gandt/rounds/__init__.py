"""Rounds in files: labels of earlier rounds in; the next manifest, automatic labels, a rehearsal out."""
