"""Downloads: names, folders, one file, an archive, whole runs, the command."""
