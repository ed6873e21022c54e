"""Schema migrations, forward only, one file each."""
