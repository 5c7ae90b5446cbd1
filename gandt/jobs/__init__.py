"""Labeling jobs of SageMaker Ground Truth: planned, checked, created, watched and fetched."""
