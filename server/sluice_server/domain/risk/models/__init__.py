"""Frequency and severity models on rating cells, and what they must withstand before anybody prices with them.

Pure functions over NumPy arrays. They need the extra ``models`` (glum, lightgbm); a server that only serves does not.
"""
