"""The Dataframer API, built in: a core without sockets, and adapters for use in the process and over loopback."""
