"""The file formats of SageMaker Ground Truth; the only room that knows its JSON."""
