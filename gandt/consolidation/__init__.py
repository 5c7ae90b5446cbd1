"""From a finished job's files to labels on disk: the files of one round."""
