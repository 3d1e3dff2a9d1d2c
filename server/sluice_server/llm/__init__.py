"""Language models behind an OpenAI-compatible interface. Off unless ``llm_url`` is set."""
