"""Tasks on their way in and out: files of five formats, and what they say in one form that knows no format."""
