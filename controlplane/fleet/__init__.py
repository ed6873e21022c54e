"""Who is connected, and what they were told to do."""
