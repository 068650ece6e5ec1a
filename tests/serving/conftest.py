"""What of this folder is not to be imported: scripts that talk to a service at once."""

collect_ignore = ["listings"]
