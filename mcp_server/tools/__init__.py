"""What a model sees: names, words, arguments; each tool calls the domain once."""
