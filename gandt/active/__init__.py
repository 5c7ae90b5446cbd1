"""Learning from labels on embeddings: probes and what follows from them."""
