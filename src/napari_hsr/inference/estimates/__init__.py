"""What a run will take in memory and time, from what runs took on this machine."""
