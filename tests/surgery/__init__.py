"""What people do by hand to the recorded side."""
