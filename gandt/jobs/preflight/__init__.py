"""What is looked at before a labeling job is created, each with its remedy."""
