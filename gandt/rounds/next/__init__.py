"""The round that comes next: chosen, and written as a manifest."""
