"""Reading tasks: pages in an order, details, and everything at a glance."""
