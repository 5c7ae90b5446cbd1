"""Boxes, text spans and masks: found in common across workers, then judged like labels."""
