"""The bench agent: runs beside the boards, flashes them and keeps every byte they say."""
