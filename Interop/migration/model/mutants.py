"""The wrong variants, each with a scenario that catches it and the rules one of which that one must name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One way to be wrong."""

    name: str
    what: str
    caught_by: str
    rules: tuple[str, ...]


MUTANTS = (
    Mutant("no-taint", "an end in doubt is a clean end", "end-in-doubt", ("SM-F2",)),
    Mutant("fin-not-held", "FIN while the answer is outstanding is the end", "held-end-was-a-hand-off", ("SM-M2",)),
    Mutant("goes-back", "the responder goes back to the source on a fault", "target-reset-after-ack", ("SM-F3",)),
    Mutant("fin-not-mirrored", "a closed write side sends no FIN on the target", "closed-by-them-before", ("SM-M7",)),
    Mutant("switches-on-delivery", "switches when its application has read the end", "they-never-read", ("SM-M5",)),
    Mutant("glare-both-accept", "the lower peer accepts too", "glare-we-lose", ("SM-F4",)),
    Mutant("glare-resets", "the higher peer resets the lower one's target", "glare-we-win", ("SM-F4",)),
    Mutant("finished-is-reset", "a finished id is answered by a reset", "from-finished", ("SM-F6",)),
    Mutant("no-hold-for-own-target", "refuses a Migrate from its own target", "moved-on-before-the-ack", ("SM-F5",)),
    Mutant("initiator-prunes", "cuts the old connection when it is complete", "source-connection-stays", ("SM-M9",)),
    Mutant("responder-prunes", "the responder cuts the old connection", "old-connection-stays", ("SM-M9",)),
    Mutant("every-fin-closes", "closes its write side on any FIN", "half-close-without-a-move", ("P5", "P2")),
    Mutant("hand-off-is-eof", "takes FIN on the source in a hand-off for the end", "moves", ("SM-M8", "P1", "P3")),
    Mutant("target-first", "delivers early bytes of the target at once", "early-bytes-wait", ("SM-M6",)),
    Mutant("refills-early-window", "gives window back for early bytes", "early-window-is-not-refilled", ("SM-M6",)),
    Mutant("third-window", "accepts a further Migrate while the reader is behind", "they-never-read", ("SM-M6",)),
    Mutant("silence-is-consent", "a reset target is an Ack", "we-reset-and-later-accept", ("SM-F2", "SM-M1", "P3")),
    Mutant("anything-is-consent", "any message is an Ack", "we-answer-with-a-future-type", ("SM-F7", "SM-W2")),
    Mutant("asks-again", "asks again behind a denial", "we-deny", ("SM-F1",)),
    Mutant("denial-swallows-end", "a held end is lost by a denial", "held-end-was-an-end", ("SM-M2", "SM-F1")),
    Mutant("reads-beyond-label", "loses what is in the label's frame", "moves", ("SM-L1", "SM-W1")),
    Mutant("labels-on-a-guess", "labels without support", "no-label-without-support", ("SM-L1",)),
    Mutant("wrong-parity", "gives ids of the other parity", "is-asked", ("SM-L2",)),
    Mutant("takes-wrong-parity", "moves a stream with a wrong label", "label-with-wrong-parity", ("SM-L4",)),
    Mutant("knows-other-peers", "looks ids up whoever asks", "from-another-peer", ("SM-L3",)),
    Mutant("replaces-live-id", "a live id goes to the new stream", "label-twice", ("SM-L4",)),
    Mutant("unknown-is-denied", "denies an id that it doesn't know yet", "label-comes-later", ("SM-F6",)),
    Mutant("holds-without-bound", "holds any number of Migrates", "flood-of-held-migrates", ("SM-F10",)),
    Mutant("always-draft", "answers the 2022 dialect in the draft's form", "under-the-other-name", ("SM-W2",)),
    Mutant("reads-long-messages", "reads messages of any length", "message-too-long", ("SM-W1",)),
    Mutant("keeps-the-source", "goes on writing on the source behind the Ack", "is-asked", ("SM-M4",)),
    Mutant("accepts-while-incomplete", "a second Migrate replaces the first", "second-migrate-waits", ("SM-F5",)),
)  # fmt: skip

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
