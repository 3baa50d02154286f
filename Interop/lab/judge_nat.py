"""What the scenarios with NATs have shown: pure functions from figures to checks."""

from __future__ import annotations

from collections.abc import Mapping

from lab.judge import Check, Figures, number
from lab.nat import PUBLIC
from lab.options import NatPlan


def mappings(plan: NatPlan, seen: Mapping[str, Figures]) -> list[Check]:
    """Whether each NAT is what it is meant to be: keeps a port or doesn't, and lets nobody in unasked."""
    checks = []
    for end, nat in plan.nats.items():
        observed = seen.get(end, {}).get("observed")
        pairs = [tuple(one) for one in observed] if isinstance(observed, list) else []
        local, let_in = number(seen.get(end, {}), "local"), number(seen.get(end, {}), "let_in")
        ports = [port for _, port in pairs]
        is_kept = len(set(ports)) == 1 and ports[0] == local
        is_fresh = len(set(ports)) == len(ports) > 1
        is_outside = bool(pairs) and all(address == PUBLIC[end] for address, _ in pairs)
        passed = is_outside and let_in == 0 and (is_kept if nat == "cone" else is_fresh)
        shown = " ".join(str(port) for port in ports)
        detail = f"port {local:g} looks like {shown or 'nothing'} to {len(ports)} hosts; {let_in:g} came in unasked"
        checks.append(Check(f"{end}'s NAT is {nat}", passed, detail))
    return checks


def go_upgrade(nat: str, relay: str, result: Figures) -> Check:
    """go-libp2p on all sides: with cone NATs new streams go direct, with symmetric ones they don't; the first stream stays."""
    after = result.get("upgraded_after")
    upgraded = isinstance(after, (int, float))
    wanted = {"first_relayed": True, "first_alive": True, "second_relayed": nat != "cone"}
    passed = result.get("ok") is True and upgraded == (nat == "cone")
    passed = passed and all(result.get(name) is value for name, value in wanted.items())
    how = f"direct after {after:.1f} s" if upgraded else "stayed on the relay"
    return Check(f"go-libp2p between {nat} NATs, over a relay of {relay}'s", passed, how + (f"; {result['error']}" if result.get("error") else ""))
