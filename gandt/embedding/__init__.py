"""Pixels in, unit vectors out."""
