"""The labeling desk: people answer a manifest's tasks in the browser."""
