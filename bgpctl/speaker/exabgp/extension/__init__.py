"""Runs inside ExaBGP: bulk routes, leaving, the N bit, End-of-RIB, compact events, pacing. ExaBGP is as
released.

Nothing outside this package touches ExaBGP's inside. It relies on the following, and
tests/unit/test_exabgp_internals.py fails when one of these moves:

- `Command.register(name, neighbor)`: `f(api, reactor, service, line, use_json)`; `Processes.write`;
- `Response.JSON`: the encoder class of an API process, whose methods answer a line or None (nothing is sent);
- `Reactor`: `_peers` (by the neighbor's name as parsed), `reload()`, `processes`; `asynchronous.schedule(uid,
  name, generator)`, stepped in the reactor's turn; `signal.received`, looked at in every turn;
- `Signal`: `rearm()` binds `sigterm` of the instance to the signal; `SHUTDOWN` closes and ends;
- `Peer`: `__init__`, `_close(message, error)`, `_delay`, `_restart`, `remove()`, `fsm`, `proto`, `neighbor`;
  `generator`, which `Peer.run` steps and whose end with `_restart` False drops the peer; `_main` yields
  `ACTION.LATER` only when no message is half written;
  `reestablish(definition)`, which a reload calls for a neighbor that is not equal to its new definition, and
  `_reset`, which puts `_neighbor` in its place; `_restarted` is the R bit of the next OPEN;
  `handle_connection`, which makes the refusal of a second connection and leaves it unsent;
- `Protocol`: looks up `Outgoing` in its module; `new_eor`, `new_update(include_withdraw)`, `write`,
  `negotiated`, `connection.io`;
- `Capabilities._graceful(neighbor, restarted)` puts capability 64 into our OPEN;
- `Neighbor`: `__eq__`; `missing()` is asked before `infer()` derives `md5-ip`, the listener's address; `eor`
  (a deque of Family), `rib`, `auto_discovery`, `description`;
- `Negotiated`: `holdtime.keepalive()` paces keepalives; `sent_open`, `received_open` with capabilities 64
  (`Graceful.restart_flag`, `.restart_time`) and 71 (unknown to ExaBGP: `.data`);
- `INET`, `Change`, `Attributes`, `Update`, `NextHopSelf`: how a route is put together, sorted and packed; an
  `Attributes` takes an attribute of ours (`bgpctl`) and comes back with its `Change` from `_seen`;
  `Attributes.index()` is made of text, `Attributes.pack` adds ORIGIN, AS_PATH and LOCAL_PREF 100 by itself;
- `OutgoingRIB`: `_update_rib`, `_new_nlri`, `_new_attr_af_nlri`, `_seen`, `cached_changes`, `pending`,
  `updates`; `RIB.uncache`.
"""
