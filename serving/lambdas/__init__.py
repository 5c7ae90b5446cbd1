"""The two functions that a custom labeling job of SageMaker Ground Truth calls on AWS Lambda.

`pre_annotation.handler` makes a manifest line into what the worker's page shows;
`post_annotation.handler` makes a batch of answers into labels. They need the standard library, and
boto3 where S3 is read. `scripts/package-lambdas` puts them in a zip that imports on its own, and
`stack.yaml` deploys them. The contract is that of the developer guide ("Processing with AWS
Lambda"), and where real events differ from it, theirs.
"""
