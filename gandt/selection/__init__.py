"""Seeds and a pool in, candidates out."""
