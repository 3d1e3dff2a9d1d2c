"""EXACT: a share ledger. After any n orders no insurer is more than one order off its share.

The ledger counts each insurer's orders. With weights ``w``, their sum ``W`` and ``x`` the orders so far, insurer i's
next order is

* released when ``x_i · W < (n + 1) · w_i``, so that it never gets ahead of its share by a whole order;
* due by order number ``⌈(x_i + 1) · W / w_i⌉``, by which it would be behind by a whole order.

The next order goes to the released insurer that is due first (equal: the greater weight, then the earlier place). This
is scheduling of unit tasks by earliest deadline; since the demands sum to exactly one order an order, no deadline is
ever missed, so ``|x_i - n · w_i / W| < 1`` after every order, from an empty ledger on.

Sources: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32, 1980; M. Balinski and H. Young, "The
quota method of apportionment", American Mathematical Monthly 82, 1975; S. Baruah et al., "Proportionate progress",
Algorithmica 15, 1996 (windows and deadlines). All numbers are whole: every replica and every language gets the same.

What an insurer misses while it is cut, ramping, without room or left out because it failed is either

* ``FORGIVEN``: each set of weights has a page of its own. Whoever comes back continues its page where it was left; on
  every page nobody is more than one order off. Or
* ``REPAID``: there is one page, on which everybody's share goes on counting. Whoever comes back is behind, and is given
  what it missed on top of its share, until it is less than one order behind. So that its return is no flood, those who
  are behind take at most twice their shares meanwhile, and one that is ramping at most what the breaker admits.
"""

from __future__ import annotations

from collections.abc import Sequence

from sluice_server.domain.routing.source.document import Deficit

Counts = tuple[int, ...]
"""Orders by insurer, in the rule's order."""

ONE_PAGE = ""
"""Name of the page of a ledger that repays."""


def page_of(deficit: Deficit, weights: Sequence[int]) -> str:
    """The page of a rule's ledger that these weights are counted on."""
    return ONE_PAGE if deficit is Deficit.REPAID else ",".join(map(str, weights))


def next_insurer(deficit: Deficit, shares: Sequence[int], weights: Sequence[int], counts: Sequence[int]) -> int:
    """Index of the insurer that gets the next order; -1 when no weight is positive.

    ``shares`` are the rule's, ``weights`` what is left of them now (0: takes no part), ``counts`` the orders so far on
    the page. With what a decision records (its candidates' shares, weights and ledger orders) this gives its insurer
    again.
    """
    taking_part = [i for i, weight in enumerate(weights) if weight > 0]
    if not taking_part:
        return -1
    if deficit is Deficit.FORGIVEN:
        return _first_due(weights, counts, taking_part)
    admitted = [i for i in taking_part if weights[i] >= shares[i] or _turn(i, weights[i], shares, counts)]
    return _first_due(shares, counts, _repaying(shares, counts, admitted or taking_part))


def counted(counts: Sequence[int], chosen: int) -> Counts:
    """The page after one more order."""
    return tuple(count + (i == chosen) for i, count in enumerate(counts))


def _first_due(shares: Sequence[int], counts: Sequence[int], among: Sequence[int]) -> int:
    whole, position = sum(shares), sum(counts) + 1
    # While somebody is missing, the others may all be ahead: the one that is due first goes on.
    released = [i for i in among if counts[i] * whole < position * shares[i]] or among
    return min(released, key=lambda i: (-(-(counts[i] + 1) * whole // shares[i]), -shares[i], i))


def _repaying(shares: Sequence[int], counts: Sequence[int], among: Sequence[int]) -> Sequence[int]:
    """Who may take the next order: while somebody is an order or more behind, those who are behind take twice their
    shares together, and the others the rest."""
    whole, orders = sum(shares), sum(counts)
    behind = [i for i in among if orders * shares[i] - whole * counts[i] >= whole]
    others = [i for i in among if i not in behind]
    if not behind or not others:
        return among
    if not _turn(0, 2 * sum(shares[i] for i in behind), shares, counts):
        return others
    return [i for i in behind if _turn(i, 2 * shares[i], shares, counts)] or behind


def _turn(place: int, limit: int, shares: Sequence[int], counts: Sequence[int]) -> bool:
    """Whether the next position is one of ``limit`` in every ``sum(shares)``, evenly spread. Shifted by a place in the
    rule, so that two with the same limit do not wait for the same positions."""
    whole, position = sum(shares), sum(counts) + place
    return (position + 1) * limit // whole > position * limit // whole
