"""The pool behind an address: candidates, search and pictures as JSON, and a page to explore."""
