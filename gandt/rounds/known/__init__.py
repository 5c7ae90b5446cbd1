"""All that is known so far: labels, seeds, and how each round was drawn."""
