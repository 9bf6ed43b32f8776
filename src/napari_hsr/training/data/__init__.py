"""The images of a training: found, paired, checked, cached, and cut into batches."""
