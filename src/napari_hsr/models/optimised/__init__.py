"""Optimised copies of networks for inference, each in a file named as the exact network's."""
