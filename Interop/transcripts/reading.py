"""The format of a golden transcript, and a link that plays one side of it to the stack."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from stack.link import Ended

FOLDER = Path(__file__).resolve().parents[2] / "Specs" / "transcripts"

_MESSAGE = re.compile(r"([AB]) -> ([AB])(?: on connection (\d+))?( crossing)?: (.*)")


@dataclass
class Message:
    """Something on the wire; without bytes it is the end of its direction."""

    sender: str
    connection: int
    is_crossing: bool
    text: str
    data: bytes = b""


@dataclass
class Transcript:
    """A conversation as it is written down."""

    inputs: dict[str, bytes] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    actions: list[tuple[str, str]] = field(default_factory=list)
    endings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str) -> Transcript:
        """Reads a file of the folder."""
        return cls.parse((FOLDER / f"{name}.txt").read_text())

    @classmethod
    def parse(cls, text: str) -> Transcript:
        """Reads the text of a file; raises `ValueError` on a line that the format doesn't have."""
        result = cls()
        last_input: str | None = None
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            if line.startswith(" "):
                digits = bytes.fromhex(line.strip())
                if last_input is None:
                    result.messages[-1].data += digits
                else:
                    result.inputs[last_input] += digits
            elif match := _MESSAGE.fullmatch(line):
                sender, receiver, connection, crossing, what = match.groups()
                if sender == receiver:
                    raise ValueError(f"a side talks to itself: {line}")
                result.messages.append(Message(sender, int(connection or 1), bool(crossing), what))
                last_input = None
            else:
                last_input = result._heading(line)
        return result

    def _heading(self, line: str) -> str | None:
        head, separator, text = line.partition(": ")
        kind, _, name = head.partition(" ")
        if not separator or not name:
            raise ValueError(f"no line of a transcript: {line}")
        if kind == "input":
            self.inputs[name] = b""
            return name
        if kind in ("A", "B") and name == "does":
            self.actions.append((kind, text))
        elif kind in ("A", "B") and name == "ends":
            self.endings[kind] = text
        else:
            raise ValueError(f"no line of a transcript: {line}")
        return None

    def sent_by(self, side: str, connection: int = 1) -> bytes:
        """All that a side sends on a connection."""
        return b"".join(m.data for m in self.messages if m.sender == side and m.connection == connection)


class RecordedLink:
    """A link (`stack.link.Link`) whose other end says what a transcript has, `step` bytes at a time."""

    def __init__(self, incoming: bytes, step: int = 1 << 16) -> None:
        self._incoming = incoming
        self._step = step
        self.sent = b""

    def send(self, data: bytes) -> None:
        """Keeps what the side under test says."""
        self.sent += data

    def receive(self, timeout: float) -> bytes:
        """The next recorded bytes; nothing is waited for."""
        if not self._incoming:
            raise Ended("eof")
        data, self._incoming = self._incoming[: self._step], self._incoming[self._step :]
        return data

    def fileno(self) -> int:
        """There is no socket."""
        raise NotImplementedError

    def has_pending(self) -> bool:
        """Whether recorded bytes are left."""
        return bool(self._incoming)

    def close(self) -> None:
        """Nothing has to be closed."""

    def abort(self) -> None:
        """Nothing has to be closed."""
