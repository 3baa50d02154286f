"""The few encodings that a driver needs: varints, protobuf fields, base58 and multiaddrs.

This code talks to peers that a test itself started, so it raises on input it doesn't know instead of bounding it.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Sequence

Fields = dict[int, list[int | bytes]]

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CID_BASE32 = "b"
_CID_PREFIX_LENGTH = 2  # version and codec, one byte each for a peer id


def encode_varint(value: int) -> bytes:
    """Unsigned LEB128, as multiformats and protobuf share it."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes, start: int = 0) -> tuple[int, int]:
    """The value at `start` and the index behind it."""
    value = shift = 0
    for index in range(start, len(data)):
        value |= (data[index] & 0x7F) << shift
        shift += 7
        if data[index] < 0x80:
            return value, index + 1
    raise ValueError("the input ends within a varint")


def read_delimited(read: Callable[[int], bytes]) -> bytes:
    """One message behind its varint length; `read(n)` gives up to n bytes and nothing at the end."""
    prefix = b""
    while not prefix or prefix[-1] >= 0x80:
        byte = read(1)
        if not byte:
            raise EOFError("the peer ended before a whole message")
        prefix += byte
    length, _ = decode_varint(prefix)
    body = b""
    while len(body) < length:
        chunk = read(length - len(body))
        if not chunk:
            raise EOFError(f"the peer ended after {len(body)} of {length} bytes of a message")
        body += chunk
    return body


def encode_message(*fields: tuple[int, int | bytes | str]) -> bytes:
    """A protobuf message: integers become varints, everything else is length-delimited."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += encode_varint(number << 3) + encode_varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += encode_varint(number << 3 | 2) + encode_varint(len(raw)) + raw
    return out


def decode_message(data: bytes) -> Fields:
    """The fields of a protobuf message by number, each with all its values in order."""
    fields: Fields = {}
    index = 0
    while index < len(data):
        tag, index = decode_varint(data, index)
        number, wire_type = tag >> 3, tag & 7
        value: int | bytes
        if wire_type == 0:
            value, index = decode_varint(data, index)
        elif wire_type == 2:
            length, index = decode_varint(data, index)
            value = data[index : index + length]
            if len(value) < length:
                raise ValueError(f"field {number} promises {length} bytes and has {len(value)}")
            index += length
        else:
            raise ValueError(f"field {number} has the unexpected wire type {wire_type}")
        fields.setdefault(number, []).append(value)
    return fields


def first_bytes(fields: Fields, number: int) -> bytes | None:
    """The first length-delimited value of a field, or None when there is none."""
    return next((value for value in fields.get(number, []) if isinstance(value, bytes)), None)


def all_bytes(fields: Fields, number: int) -> list[bytes]:
    """All length-delimited values of a field."""
    return [value for value in fields.get(number, []) if isinstance(value, bytes)]


def encode_base58(data: bytes) -> str:
    """Base58 with the Bitcoin alphabet."""
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def decode_base58(text: str) -> bytes:
    """The inverse of `encode_base58`."""
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def decode_peer_id(text: str) -> bytes:
    """The multihash of a peer id in base58 or CID (base32) form."""
    if text.startswith(("1", "Qm")):
        return decode_base58(text)
    if not text.startswith(_CID_BASE32):
        raise ValueError(f"{text!r} is no peer id in base58 or base32 form")
    body = text[1:].upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))[_CID_PREFIX_LENGTH:]


_CODES = {
    "ip4": 4, "tcp": 6, "ip6": 41, "dns": 53, "dns4": 54, "dns6": 55, "dnsaddr": 56, "udp": 273, "p2p-circuit": 290,
    "unix": 400, "p2p": 421, "tls": 448, "quic-v1": 461, "webtransport": 465, "certhash": 466, "ws": 477, "wss": 478,
}  # fmt: skip
_NAMES = {code: name for name, code in _CODES.items()}
_WITHOUT_VALUE = {"p2p-circuit", "tls", "quic-v1", "webtransport", "ws", "wss"}
_FIXED_LENGTH = {"ip4": 4, "ip6": 16, "tcp": 2, "udp": 2}


def encode_multiaddr(text: str) -> bytes:
    """The binary form of a multiaddr that is made of the protocols above."""
    parts = text.strip("/").split("/")
    out = b""
    while parts:
        name = parts.pop(0)
        out += encode_varint(_CODES[name])
        if name in _WITHOUT_VALUE:
            continue
        if name == "unix":  # a path takes all that follows
            path = ("/" + "/".join(parts)).encode()
            return out + encode_varint(len(path)) + path
        value = parts.pop(0)
        if name in ("ip4", "ip6"):
            out += ipaddress.ip_address(value).packed
        elif name in ("tcp", "udp"):
            out += int(value).to_bytes(2, "big")
        else:
            raw = decode_peer_id(value) if name == "p2p" else value.encode()
            out += encode_varint(len(raw)) + raw
    return out


def decode_multiaddr(data: bytes) -> str:
    """The text form of a binary multiaddr."""
    text = ""
    index = 0
    while index < len(data):
        code, index = decode_varint(data, index)
        if code not in _NAMES:
            return f"{text}/unknown-{code}"  # its length can't be known either
        name = _NAMES[code]
        text += "/" + name
        if name in _WITHOUT_VALUE:
            continue
        length = _FIXED_LENGTH.get(name)
        if length is None:
            length, index = decode_varint(data, index)
        text += "/" + _value_text(name, data[index : index + length])
        index += length
    return text


def _value_text(name: str, raw: bytes) -> str:
    if name in ("ip4", "ip6"):
        return str(ipaddress.ip_address(raw))
    if name in ("tcp", "udp"):
        return str(int.from_bytes(raw, "big"))
    if name == "p2p":
        return encode_base58(raw)
    return raw.hex() if name == "certhash" else raw.decode(errors="replace").lstrip("/")


def split_peer(address: str) -> tuple[str, str]:
    """A full address as (transport address, peer id), cut at the last `/p2p/`."""
    transport, separator, peer = address.rpartition("/p2p/")
    if not separator:
        raise ValueError(f"{address} names no peer: it must end in /p2p/ID")
    return transport, peer


def describe_identify(message: bytes) -> dict[str, object]:
    """An identify message as the fields that the contract wants."""
    fields = decode_message(message)
    observed = first_bytes(fields, 4)
    return {
        "agent": (first_bytes(fields, 6) or b"").decode(errors="replace"),
        "protocol_version": (first_bytes(fields, 5) or b"").decode(errors="replace"),
        "protocols": sorted(raw.decode(errors="replace") for raw in all_bytes(fields, 3)),
        "listen_addrs": [decode_multiaddr(raw) for raw in all_bytes(fields, 2)],
        "observed_addr": decode_multiaddr(observed) if observed else None,
    }


_AUTONAT_STATUS = {0: "OK", 100: "E_DIAL_ERROR", 101: "E_DIAL_REFUSED", 200: "E_BAD_REQUEST", 300: "E_INTERNAL_ERROR"}


def autonat_question(peer: str, addresses: Sequence[str]) -> bytes:
    """The AutoNAT message, behind its length, with which a host asks to be dialled (its section RPC messages)."""
    own = [(2, encode_multiaddr(address.split("/p2p/")[0])) for address in addresses]
    message = encode_message((1, 0), (2, encode_message((1, encode_message((1, decode_peer_id(peer)), *own)))))
    return encode_varint(len(message)) + message


def describe_autonat(message: bytes) -> dict[str, object]:
    """The answer to `autonat_question`: its `status` by name, the text, and the address that was reached."""
    answer = decode_message(first_bytes(decode_message(message), 3) or b"")
    status = answer.get(1, [0])[0]
    reached = first_bytes(answer, 3)
    return {
        "status": _AUTONAT_STATUS.get(status, str(status)) if isinstance(status, int) else "none",
        "text": (first_bytes(answer, 2) or b"").decode(errors="replace"),
        "reached": decode_multiaddr(reached) if reached else None,
    }
