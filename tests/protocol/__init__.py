"""What an answer proves, and how submissions move through their phases."""
