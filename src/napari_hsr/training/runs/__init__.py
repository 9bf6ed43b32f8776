"""Trainings in their folders: recorded, followed from outside, stopped and found again."""
