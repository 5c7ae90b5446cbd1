"""What a request for a labeling job must satisfy, beyond what boto3 checks."""
