"""What tasks are kept in, lists, tags, views and fields; and a person's settings."""
