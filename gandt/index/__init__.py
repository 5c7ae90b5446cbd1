"""Unit vectors on disk, and search over them."""
