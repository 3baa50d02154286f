"""What passed between the scripted peer and the other side: readable, or as JSON lines."""

from __future__ import annotations

import json
import time
from typing import TextIO

from stack.session import Session
from stack.yamux import Flag, Frame, Type

from . import opening
from .messages import Malformed, decode, split
from .opening import NAMES

#: So many bytes of a body that isn't decoded are shown.
SHOWN = 24


class Reading:
    """Decodes the opening of one stream, both directions, as its bytes pass."""

    def __init__(self) -> None:
        self._bytes = {True: b"", False: b""}
        self._stage = {True: "lines", False: "lines"}
        self._asked: str | None = None

    def feed(self, is_opener: bool, data: bytes) -> list[str]:
        """The messages that are whole with these bytes, in words."""
        self._bytes[is_opener] += data
        found: list[str] = []
        try:
            while (text := self._next(is_opener)) is not None:
                found.append(text)
        except (Malformed, ValueError) as failure:
            self._stage[is_opener] = "raw"
            found.append(f"malformed: {failure}")
        return found

    def _next(self, is_opener: bool) -> str | None:
        data, stage = self._bytes[is_opener], self._stage[is_opener]
        if stage == "raw":
            self._bytes[is_opener] = b""
            return f"{len(data)} bytes {data[:SHOWN].hex()}{'…' if len(data) > SHOWN else ''}" if data else None
        if stage == "lines":
            line = opening.take_line(data, 0)
            if line is None:
                return None
            self._bytes[is_opener] = data[line[1] :]
            if line[0] in NAMES:
                self._stage[is_opener] = "message" if is_opener else ("answer" if self._asked == "Migrate" else "lines")
            elif line[0] not in (opening.HEADER, "na"):
                self._stage[is_opener] = "raw"
            return repr(line[0])
        whole = split(data)
        if whole is None:
            return None
        self._bytes[is_opener] = data[whole[1] :]
        message = decode(whole[0], is_answer=stage == "answer")
        name = type(message).__name__
        if is_opener:
            self._asked = name
        self._stage[is_opener] = "lines" if name == "Label" else "raw"
        return str(message)


class Transcript:
    """Collects the lines of one scenario; it is an `Observer` of its sessions."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.entries: list[dict[str, object]] = []
        self._readings: dict[tuple[str, int], Reading] = {}

    def frame(self, session: Session, is_sent: bool, frame: Frame) -> None:
        """See `Observer.frame`."""
        decoded: list[str] = []
        if frame.type == Type.DATA and frame.body:
            reading = self._readings.setdefault((session.name, frame.stream), Reading())
            opened_by_us = frame.stream % 2 == (1 if session.is_dialer else 0)
            decoded = reading.feed(is_sent == opened_by_us, frame.body)
        self._add(
            connection=session.name,
            stream=frame.stream,
            direction="out" if is_sent else "in",
            frame=Type(frame.type).name if frame.type in list(Type) else str(frame.type),
            flags=[flag.name for flag in Flag if flag and frame.has(flag)],
            length=frame.length,
            decoded=decoded,
        )

    def note(self, session: Session | None, text: str) -> None:
        """See `Observer.note`."""
        self._add(connection=session.name if session else None, note=text)

    def _add(self, **fields: object) -> None:
        self.entries.append({"time": round(time.monotonic() - self._began, 4), **fields})

    def write_text(self, file: TextIO) -> None:
        """One line for each entry, to be read."""
        for entry in self.entries:
            stamp, connection = f"{entry['time']:9.4f}", entry["connection"] or "-"
            if "note" in entry:
                file.write(f"{stamp}  {connection:4} # {entry['note']}\n")
                continue
            arrow = "→" if entry["direction"] == "out" else "←"
            flags, decoded = entry["flags"], entry["decoded"]
            assert isinstance(flags, list) and isinstance(decoded, list)
            head = f"{entry['frame']}{'[' + '|'.join(flags) + ']' if flags else ''} {entry['length']}"
            file.write(
                f"{stamp}  {connection:4} {entry['stream']:>4} {arrow} {head}  {'  '.join(decoded)}".rstrip() + "\n"
            )

    def write_json(self, file: TextIO) -> None:
        """One JSON object for each entry."""
        for entry in self.entries:
            file.write(json.dumps(entry) + "\n")
