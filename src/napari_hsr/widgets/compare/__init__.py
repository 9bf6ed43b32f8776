"""The Compare panel: a prediction against its ground truth."""
