"""Who holds which board, and until when."""
