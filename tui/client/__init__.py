"""The console's side of the wire: calls, watches that resume, and translation into facts."""
