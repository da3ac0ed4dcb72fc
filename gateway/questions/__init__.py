"""What a tool asks a person: the flat schemas of the Model Context Protocol as questions of ChatKit, and back."""
