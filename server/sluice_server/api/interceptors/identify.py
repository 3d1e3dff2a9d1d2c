"""Who calls, and may they."""

from __future__ import annotations

from collections.abc import Mapping

from sluice_server.api.access import Access
from sluice_server.api.context import ServerCall
from sluice_server.api.interceptors.log import REQUEST_ID, is_request_id
from sluice_server.api.interceptors.pipeline import REQUEST_ID_KEY, Hooks, Method
from sluice_server.domain.context import Actor, Clock, Role
from sluice_server.domain.errors import InvalidInput, PermissionDenied, Violation

ACTOR_KEY = "sluice-actor"
ACTOR_BINARY_KEY = "sluice-actor-bin"
"""The same in UTF-8, for names that are not ASCII."""
MAX_ACTOR_CHARACTERS = 128
ANONYMOUS = Actor("anonymous")
_KEYS = frozenset({ACTOR_KEY, ACTOR_BINARY_KEY, REQUEST_ID_KEY})


class Identify:
    """Finds the actor, checks that they may make this call, and says so to the call, which makes its CallContext of it.

    The actor is the common name of the client's certificate where there is one; otherwise the one declared in the
    metadata ``sluice-actor``, marked as unverified. ``roles`` names those of verified actors; without it they have
    all. ``certificates`` False: clients cannot show one, so that no call need be asked for it.
    """

    def __init__(
        self, clock: Clock, roles: Mapping[str, frozenset[Role]] | None = None, *, certificates: bool = True
    ) -> None:
        self._clock = clock
        self._roles = roles
        self._certificates = certificates

    def around(self, method: Method) -> Hooks:
        access, certificates = method.access, self._certificates
        clock, no_actor_needed = self._clock, access is None or not access.control

        def enter(call: ServerCall) -> None:
            metadata = call.metadata
            if certificates or not no_actor_needed or not metadata.keys().isdisjoint(_KEYS):
                actor = self._checked(call, access)
            else:
                # Nothing was declared that could be wrong, and the anonymous have every role.
                actor = ANONYMOUS
            call.actor, call.clock = actor, clock

        return Hooks(enter=enter)

    def _checked(self, call: ServerCall, access: Access | None) -> Actor:
        """The actor. Raises InvalidInput and PermissionDenied."""
        actor = self._actor(call)
        violations = []
        if actor is None:
            if access is not None and access.control:
                violations.append(
                    Violation(
                        f"metadata.{ACTOR_KEY}",
                        "required for calls that change something; say who you are, "
                        f"e.g. grpcurl -H '{ACTOR_KEY}: wang.li'",
                    )
                )
            actor = ANONYMOUS
        elif not actor.name.isprintable() or not 0 < len(actor.name) <= MAX_ACTOR_CHARACTERS or actor.name.isspace():
            violations.append(
                Violation(f"metadata.{ACTOR_KEY}", f"must be 1 to {MAX_ACTOR_CHARACTERS} printable characters")
            )
        given_id = call.metadata.get(REQUEST_ID_KEY)
        if given_id is not None and not is_request_id(given_id):
            violations.append(Violation(f"metadata.{REQUEST_ID_KEY}", f"must match {REQUEST_ID.pattern}"))
        if violations:
            raise InvalidInput(violations)
        if access is not None and access.roles.isdisjoint(actor.roles):
            needed = ", ".join(sorted(access.roles))
            raise PermissionDenied(
                f"{actor.name} may not call {call.method.rpartition('/')[2]}; it needs one of the roles: {needed}",
                needed_roles=needed,
            )
        return actor

    def _actor(self, call: ServerCall) -> Actor | None:
        names = call.grpc_context.auth_context().get("x509_common_name") if self._certificates else None
        if names:
            name = next(iter(names)).decode(errors="replace")
            roles = frozenset(Role) if self._roles is None else self._roles.get(name, frozenset({Role.READER}))
            return Actor(name, verified=True, roles=roles)
        declared = call.metadata.get(ACTOR_BINARY_KEY) or call.metadata.get(ACTOR_KEY)
        if not declared:
            return None
        return Actor(declared if isinstance(declared, str) else declared.decode(errors="replace"))
