"""What a person chose becomes the files that the commands read."""
