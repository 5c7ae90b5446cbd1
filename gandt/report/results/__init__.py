"""What came back of a labeling job, in pictures: one story, as a page and as a PDF."""
