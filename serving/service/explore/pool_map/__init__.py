"""The map of the pool: made once in the background, kept, and handed to the page."""
