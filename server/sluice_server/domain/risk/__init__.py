"""Questions about risk: the semantic model, ratings, scores and abnormal shops, from published result tables.

Pure Python over numpy and scipy. What is read comes through `ports.RiskReader`; every answer is computed from one data
version and says which.
"""
