"""Reads how a stream begins: which protocol is asked for, and whether it is labelled or the target of a migration."""

from __future__ import annotations

from dataclasses import dataclass, field

from peers.wire import decode_varint
from stack.multistream import HEADER

from .messages import DRAFT, SLASH, Label, Message, Migrate, decode, split

#: The ids under which stream migration is known.
NAMES = (DRAFT, SLASH)


@dataclass
class Opening:
    """What was read of a stream's opening."""

    #: The name under which the label or the Migrate came; None on a plain stream.
    name: str | None = None
    message: Message | None = None
    #: The application's protocol, once it was asked for.
    protocol: str | None = None
    #: The proposals, in order.
    proposals: list[str] = field(default_factory=list)
    #: Where the bytes behind the opening start.
    end: int = 0

    @property
    def label(self) -> int | None:
        """The id of a labelled stream."""
        return self.message.id if isinstance(self.message, Label) else None

    @property
    def migrate(self) -> Migrate | None:
        """The Migrate of a target."""
        return self.message if isinstance(self.message, Migrate) else None

    @property
    def is_whole(self) -> bool:
        """Whether it is known what the stream is for."""
        return self.protocol is not None or self.migrate is not None


def take_line(data: bytes, start: int) -> tuple[str, int] | None:
    """The multistream message at `start` and the index behind it; None while it isn't whole."""
    if not any(byte < 0x80 for byte in data[start : start + 2]):
        return None
    length, begin = decode_varint(data, start)
    end = begin + length
    return (data[begin : end - 1].decode(errors="replace"), end) if len(data) >= end else None


def read(data: bytes) -> Opening:
    """Reads as far as the bytes go. An opening that isn't whole yet is to be read again when there are more."""
    opening = Opening()
    while not opening.is_whole:
        if opening.name is not None and opening.message is None:
            whole = split(data[opening.end :])
            if whole is None:
                break
            opening.message, opening.end = decode(whole[0]), opening.end + whole[1]
            continue
        line = take_line(data, opening.end)
        if line is None:
            break
        text, opening.end = line
        if text == HEADER:
            continue
        opening.proposals.append(text)
        if text in NAMES and opening.name is None:
            opening.name = text
        else:
            opening.protocol = text
    return opening
