"""The official SDK, unchanged, against the emulator as a real process."""
