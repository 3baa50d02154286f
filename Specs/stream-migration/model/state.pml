/* State: the two peers, the wires, and what is in flight. */

mtype = { BYTE, FIN, RESET, MIGRATE, ACK, DENY, LABEL, ANSWER };
mtype = { SETTLED, ASKING, HANDING, ENDED };
mtype = { INITIATOR, RESPONDER };
mtype = { SOURCE, TARGET, YIELDED, NOLEG };
mtype = { ACCEPTS, DENIES, HOLDS };
mtype = { NORIGHT, AWAITS, SAW };

typedef Peer {
    mtype phase = SETTLED;
    mtype role = INITIATOR;
    byte src = NOBODY;                  /* the wires that are L's legs */
    byte tgt = NOBODY;
    byte yld = NOBODY;
    byte cur = 0;                       /* L's current id */
    bit sourceFINFramed;
    bit sourceFINRead;
    bit readBehindOwn;                  /* the own FIN was framed when the peer's was read (SM-M2) */
    bit targetFINFramed;
    bit targetFINRead;
    bit targetSpoke;
    bit closed;                         /* the application closed its write side */
    bit eof;                            /* the end was delivered */
    bit tainted;
    bit denied;
    bit negotiated;
    bit live;                           /* L exists here */
    mtype right = NORIGHT;              /* to prune (SM-M9) */
    byte left = NOBODY;                 /* the source of the last migration */
    byte attempts;
    bit held[W];                        /* Migrates that wait (SM-F5, SM-F6), by wire */
    bit known[W];                       /* ids that this peer has seen */
    byte holds;                         /* how many wait */
    byte written;
    byte received;
    bit ended;                          /* the application has read its end */
    bit aborted;
#ifdef MUTANTS
    bit sentEnd;
    bit wasInitiator;
    byte arming = NOBODY;
#endif
}

typedef Wire {
    bit alive[2];                       /* the peer has to do with it */
    bit fin[2];                         /* the peer has framed its FIN */
    bit owes[2];                        /* the peer is to learn that its connection is lost */
    byte flight[2];                     /* bytes towards the peer that its application hasn't got */
    byte from;                          /* the `from` of its Migrate */
}

Peer p[2];
Wire wire[W];
bit lost[W];                            /* by connection */
byte opened = 1;                        /* wires so far */
byte faults = FAULTS;
byte denials = DENIALS;
/* The choices above, as the search has made them. */
bit closes[2];
byte conns;
bit prunes, late, eager, overtakes;

/* What is in flight, in order, for each connection and direction: wire, kind, number. */
chan q[2 * W] = [CAPACITY] of { byte, mtype, byte };
/* Bytes of the target that wait for the source's FIN (SM-M6): wire, number. */
chan parked[2] = [BYTES0 + BYTES1 + 1] of { byte, byte };

byte inflight;                          /* items in all q, and losses to learn of: both follow from the rest */
byte notices;

/* Scratch of one step: no part of the state. A breadth-first search takes no hidden variables. */
#ifdef SHORTEST
#define hidden
#endif
hidden byte violated;
hidden byte w, v, i, s, h, x;
hidden mtype k, leg, verdict;
hidden byte again, failing;

#define S p[me]
#define O p[1 - me]
#define Q(w, side) q[2 * CONN(w) + (side)]

/* SM-M4, SM-M5: the leg on which new bytes are framed. */
#define ON_TARGET(i) (p[i].phase == HANDING && (p[i].role == INITIATOR || p[i].sourceFINRead))
#define WRITE_WIRE(i) (ON_TARGET(i) -> p[i].tgt : p[i].src)
/* SM-M6: the leg whose bytes the application gets. */
#define FROM_TARGET(i) (p[i].phase == HANDING && p[i].sourceFINRead)

/* SM-M4, SM-M5, SM-M7: the FINs that are to be framed. */
#ifdef MUTANT_finNotMirrored
#define OWES_SOURCE(i) (p[i].src != NOBODY && !wire[p[i].src].fin[i] && \
    (ON_TARGET(i) || (p[i].closed && !p[i].sentEnd)))
#define OWES_TARGET(i) (p[i].tgt != NOBODY && ON_TARGET(i) && p[i].closed && !wire[p[i].tgt].fin[i] && !p[i].sentEnd)
#else
#define OWES_SOURCE(i) (p[i].src != NOBODY && !wire[p[i].src].fin[i] && (ON_TARGET(i) || p[i].closed))
#define OWES_TARGET(i) (p[i].tgt != NOBODY && ON_TARGET(i) && p[i].closed && !wire[p[i].tgt].fin[i])
#endif

/* Nothing more has to happen. */
#define DONE(i) (p[i].aborted || !p[i].live || p[i].closed || (p[i].written == BYTES(i) && !CLOSES(i)))
#define LATE_FIN(i) (OWES_SOURCE(i) || OWES_TARGET(i))
#define WAITS_FOR_LABEL(i) (!p[i].live && p[i].holds > 0)
#ifdef MUTANT_ackBeforeArmed
#define ARMING (p[0].arming != NOBODY || p[1].arming != NOBODY)
#else
#define ARMING 0
#endif
#define REST (inflight == 0 && notices == 0 && DONE(0) && DONE(1) && !LATE_FIN(0) && !LATE_FIN(1) && \
    !WAITS_FOR_LABEL(0) && !WAITS_FOR_LABEL(1) && !ARMING)

inline must(property, condition) {
    violated = ((condition) -> 0 : property);
    printf("@ %d must %d\n", me, violated);
    assert(violated == 0)
}
