"""The local HTTP service: what its applications share. `desk/` labels, `explore/` selects."""
