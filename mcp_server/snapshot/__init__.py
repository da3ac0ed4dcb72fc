"""SQL over one person's own rows: copied into a private database, asked in a locked process of its own."""
