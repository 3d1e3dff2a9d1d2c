"""Risk groups: proposed by a search or a language model on one half of the data, judged on the other."""
