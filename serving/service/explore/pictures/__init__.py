"""Pictures of the pool as a browser gets them: where they lie, small, and whole."""
