"""How requests come in and replies go out: JSON, its models, its faults, its description."""
