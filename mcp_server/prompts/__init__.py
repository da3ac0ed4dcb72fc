"""What a person can ask with one choice from a menu: instructions for a model that has our tools."""
