"""Runs inside ExaBGP: routes, their UPDATEs, leaving, the N bit, End-of-RIB, events, time. ExaBGP is as
released.

Nothing outside this package touches ExaBGP's inside. It relies on the following, and
tests/unit/test_exabgp_internals.py fails when one of these moves:

- `Command.register(name, neighbor)`: `f(api, reactor, service, line, use_json)`; `Processes.write`;
- `Response.JSON`: the encoder class of an API process, whose methods answer a line or None (nothing is sent);
- `Reactor`: `_peers` (by the neighbor's name as parsed), `reload()`, `processes` (`fds`), `listener`
  (`serving`, `_sockets`, `_accepted`); `asynchronous.schedule(uid, name, generator)`, stepped in the
  reactor's turn, and its `_async`; `signal.received`, looked at in every turn; `_wait_for_io(milliseconds)`
  ends a turn, with 0 when something was done in it; all peers get a turn whatever it yields;
- `Signal`: `rearm()` binds `sigterm` of the instance to the signal; `SHUTDOWN` closes and ends;
- `Peer`: `__init__`, `_close(message, error)`, `_delay`, `_restart`, `remove()`, `fsm`, `proto`, `neighbor`;
  `generator`, which `Peer.run` steps and whose end with `_restart` False drops the peer, and which it makes
  without stepping it; `_main` yields `ACTION.LATER` only when nothing is left to send;
  `reestablish(definition)`, which a reload calls for a neighbor that is not equal to its new definition, and
  `_reset`, which puts `_neighbor` in its place; `_restarted` is the R bit of the next OPEN;
  `handle_connection`, which makes the refusal of a second connection and leaves it unsent;
- `Protocol`: looks up `Outgoing` in its module; `new_eor`, `new_keepalive(comment)`, `new_notification`,
  `write`, `negotiated`, `connection`; `new_update(include_withdraw)`, stepped until it ends, asked for when
  `pending()`;
- `Connection`: `writer(data)`, through which everything is sent; `reader()`, through which everything comes,
  as (length, type, header, body, `NotifyError` or None); `io`, `close()`;
- `bgp.timer` and `reactor.delay` ask the module `time` for nothing but `time()`; `Peer` looks up
  `ReceiveTimer` in its module, and waits with it for the OPEN (code 1) and for keepalives (code 4);
- `Protocol.read_message` reads an UPDATE with `Update.unpack_message`, wants `nlris` and `attributes` of it,
  and hands its octets to the encoder; of a bad header it tells `Processes.notification`, then raises Notify;
- `Capabilities._graceful(neighbor, restarted)` puts capability 64 into our OPEN, `_nexthop(neighbor)` 5;
- `Neighbor`: `__eq__`; `missing()` is asked before `infer()` derives `md5-ip`, the listener's address; `eor`
  (a deque of Family), `rib`, `auto_discovery`, `description`;
- `Negotiated`: `holdtime.keepalive()` paces keepalives; `sent_open`, `received_open` with capabilities 64
  (`Graceful.restart_flag`, `.restart_time`) and 71 (unknown to ExaBGP: `.data`); `nexthop`, what both sides
  said in capability 5;
- `Attributes`, `NextHopSelf`: how a route's attributes are packed: `Attributes.pack` adds ORIGIN, AS_PATH and
  LOCAL_PREF 100 by itself, and leaves out a NEXT_HOP that is not IPv4;
- `RIB`: looks up `OutgoingRIB` in its module, keeps it over a reload, drops it with `uncache`; what is asked
  of it is in rib.py: `replace_restart` when a session is up, `reset` when one is over.
"""
