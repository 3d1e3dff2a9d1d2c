"""The semantic model and questions in its words."""
