"""Messages as they are read: lines, JSON, dumps, summaries; and which of them are wanted."""
