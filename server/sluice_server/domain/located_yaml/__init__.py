"""YAML that people write, read so that every mistake is reported at once, with its line and path.

``tree``: values with their lines. ``reader``: from text to a tree. ``section``: one mapping, read key by key.
``mistakes``: what is wrong.
"""

from sluice_server.domain.located_yaml.mistakes import Mistake, Mistakes, TooManyErrors
from sluice_server.domain.located_yaml.reader import read_tree
from sluice_server.domain.located_yaml.section import Section, read_section, text_of
from sluice_server.domain.located_yaml.tree import Tree, plain_value

__all__ = [
    "Mistake",
    "Mistakes",
    "Section",
    "TooManyErrors",
    "Tree",
    "plain_value",
    "read_section",
    "read_tree",
    "text_of",
]
