"""Worker pages: Liquid templates with crowd elements."""
