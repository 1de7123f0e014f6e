"""Roads whose daemon wants a password, or a ticket: SASL."""
