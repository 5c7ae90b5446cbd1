"""Rounds rehearsed on images whose labels are known."""
