"""The reader of the proof of concept of 2022, imitated: with its limits, a peer of the dialect `2022` must get along.

Its messages may have eight bytes. It reads them through a buffer that takes what has arrived and is dropped
afterwards, so what lies behind a label or an answer in one read is lost. A message that is too long is neither
answered nor reset. It opens and answers under the name with the slash alone, labels without being told that it may,
and counts its ids 1, 2, 3. Everything else here is the model's: what else is wrong in the proof of concept is in
Specs/stream-migration/findings.md.
"""

from __future__ import annotations

from stack import multistream
from stack.multistream import HEADER
from stack.session import Stream

from .. import opening
from ..messages import SLASH, Label, Malformed, Migrate, decode, split
from ..opening import Opening
from .judge import Held, Remote
from .node import Node
from .side import ModelSide

#: The longest message, without its length.
LONGEST = 8
#: What one read of the buffered reader takes at most.
READ = 4096


def buffered(stream: Stream) -> bytes | None:
    """One message as the buffered reader has it: what else has arrived goes with it. None while it isn't whole."""
    taken = bytes(stream.received[:READ])
    whole = split(taken)
    if whole is None:
        return None
    stream.grant(len(stream.take_head(len(taken))))
    if len(whole[0]) > LONGEST:
        raise Malformed(f"a message of {len(whole[0])} bytes")
    return whole[0]


class ProofOfConcept(Node):
    """A process of it."""

    def _opened(self, stream: Stream, remote: Remote) -> None:
        stream.grants = False
        state = Opening()
        has_greeted: list[bool] = []

        def negotiate() -> bool:
            if stream.is_broken:
                return True
            try:
                return self._advance(stream, state, has_greeted, remote)
            except (Malformed, ValueError):
                # Neither a reset nor an answer: its peer waits.
                return True

        self._tasks.append(negotiate)

    def _advance(self, stream: Stream, state: Opening, has_greeted: list[bool], remote: Remote) -> bool:
        while not state.is_whole:
            if state.name is not None and state.message is None:
                body = buffered(stream)
                if body is None:
                    return False
                state.message = decode(body)
                if isinstance(state.message, Label):
                    # The handler behind the label negotiates anew, and greets unasked.
                    stream.send(multistream.lines(HEADER))
                continue
            line = opening.take_line(bytes(stream.received), 0)
            if line is None:
                return False
            stream.grant(len(stream.take_head(line[1])))
            if line[0] == HEADER:
                if state.name is None and not has_greeted:
                    has_greeted.append(True)
                    stream.send(multistream.lines(HEADER))
            elif line[0] == SLASH and state.name is None:
                state.name = SLASH
                stream.send(multistream.lines(SLASH))
            else:
                state.protocol = line[0]
        if isinstance(state.message, Migrate):
            self._judge(Held(stream, SLASH, state.message, None), remote)
        else:
            self._serve(stream, state, remote)
        return True

    def _agree(self, stream: Stream, protocol: str, data: bytes = b"", fin: bool = False) -> None:
        """The header is out already."""
        stream.send(multistream.lines(protocol) + data, fin=fin)

    def _new_id(self, remote: Remote) -> int:
        remote.next_id = 1 if remote.next_id > 1 << 20 else remote.next_id
        taken, remote.next_id = remote.next_id, remote.next_id + 1
        return taken

    def _take_answer(self, stream: Stream) -> bytes | None:
        return buffered(stream)


class ProofOfConceptSide(ModelSide):
    """It as the other side of scenarios."""

    node_type = ProofOfConcept
