"""Floods of connections, and of handshakes."""

from __future__ import annotations

import contextlib
import os
import select
import time

from adversary import network
from adversary.attacker import GONE, Attacker, Source
from adversary.session import Session
from stack import multistream, noise, yamux
from stack.identity import Identity
from stack.link import Buffered, TCPLink


def _flood(attacker: Attacker, source: Source) -> None:
    """Opens connections without end and keeps each that the target doesn't end."""
    held: dict[int, TCPLink] = {}
    waiting = select.epoll()
    done = 0
    while attacker.going(done):
        with contextlib.suppress(OSError):
            link = attacker.connect(source, done)
            held[link.fileno()] = link
            waiting.register(link.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
        done += 1
        if done % 20 == 0:
            attacker.begun()
            _drop_ended(attacker, held, waiting)
            # 2,000 a second: more, and the kernel's work for this side's connections takes the machine from everybody.
            time.sleep(0.01)
        # Past what is wanted it goes on without new connections: those that stand are the attack.
        while done >= attacker.wanted and not attacker.is_enough() and time.monotonic() < attacker.deadline:
            attacker.begun()
            _drop_ended(attacker, held, waiting)
            time.sleep(0.01)
    # The kernel takes connections before the target has seen them: what counts is what stays.
    settled = time.monotonic() + 0.3
    while time.monotonic() < settled:
        _drop_ended(attacker, held, waiting)
        time.sleep(0.01)
    attacker.facts["kept open"] = len(held)
    attacker.facts["attempts"] = done
    for link in held.values():
        link.abort()


def _drop_ended(attacker: Attacker, held: dict[int, TCPLink], waiting: select.epoll) -> None:
    while ready := waiting.poll(0, 4096):
        for number, _ in ready:
            if _has_ended(number):
                waiting.unregister(number)
                held.pop(number).abort()
                attacker.count("ended by the target")
    attacker.note_longest("open at once", len(held))


def _has_ended(number: int) -> bool:
    """Reads what is there: the target's own greeting, or its end. `select` has no room for so many connections."""
    os.set_blocking(number, False)
    try:
        return not os.read(number, 4096)
    except BlockingIOError:
        return False
    except OSError:
        return True


def one_address(attacker: Attacker) -> None:
    """All from one address."""
    _flood(attacker, lambda index: network.source(0))


def one_network(attacker: Attacker) -> None:
    """From all addresses of a /24."""
    _flood(attacker, network.neighbour)


def many_networks(attacker: Attacker) -> None:
    """From thousands of networks."""
    _flood(attacker, network.source)


def loopback(attacker: Attacker) -> None:
    """From addresses of loopback, which no limit of addresses counts."""
    _flood(attacker, network.loopback)


def handshakes(attacker: Attacker) -> None:
    """Whole handshakes, each as somebody new and cut at once: the target pays its share of the cryptography."""
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            attacker.dial().tcp.abort()
            attacker.count("handshakes")
        attacker.begun()
        done += 1


def resets_in_the_middle(attacker: Attacker) -> None:
    """Connections that are reset at every step of their upgrade, just before the target's next write."""
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            link = attacker.connect()
            step = done % 4
            if step > 0:
                wire = Buffered(link)
                multistream.select(link.send, lambda count, wire=wire: wire.read(count, 5.0), noise.PROTOCOL)
                secured = noise.initiate(link, Identity(), wire.leftover(), 5.0)
                if step > 1:
                    secured.send(multistream.lines(multistream.HEADER, yamux.PROTOCOL))
                if step > 2:
                    secured.receive(5.0)
            else:
                link.send(multistream.lines(multistream.HEADER, noise.PROTOCOL))
            link.abort()
        attacker.begun()
        done += 1
    attacker.facts["connections"] = done


def one_peer(attacker: Attacker) -> None:
    """One identity that connects again and again and keeps its connections."""
    identity = Identity()
    sessions: list[Session] = []
    done = 0
    while attacker.going(done):
        if done < attacker.wanted:
            with contextlib.suppress(*GONE):
                sessions.append(attacker.session(identity))
                sessions[-1].idle(0.01)
            done += 1
        else:
            for session in sessions:
                session.idle(0.01)
        attacker.begun()
        attacker.note_longest("open at once", sum(session.ended is None for session in sessions))
    for session in sessions:
        session.idle(0.01)
    # What the target refuses it ends a moment after the upgrade: those that are left count.
    attacker.facts["open at the end"] = sum(session.ended is None for session in sessions)
    for session in sessions:
        session.abort()
