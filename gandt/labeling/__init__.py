"""Tasks become pages that people answer: a manifest's lines, rendered as Ground Truth does."""
