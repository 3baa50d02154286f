/*
 * Stream migration between two peers: one logical stream L, its underlying streams, and the channels between them.
 *
 * The rules are those of ../README.md; each transition names the rule that it models. The state of a peer is the state
 * of MigrationMachine, and an event here is an event there, applied with its consequences in one step (STEP): README.md
 * beside this file says what is left out and why that is sound. `check` beside this file runs it.
 *
 * Peer 0 has the lower peer id and opened L. The id of an underlying stream is its number here, its "wire".
 */

/* ---------------------------------------------------------------- Bounds: -D on the command line */

#define ANY 9                           /* for a choice that the search makes at its beginning */

#ifndef BYTES0
#define BYTES0 1                        /* bytes that the application of peer 0 writes */
#endif
#ifndef BYTES1
#define BYTES1 1
#endif
#ifndef CLOSES0
#define CLOSES0 1                       /* whether it closes its write side behind them */
#endif
#ifndef CLOSES1
#define CLOSES1 1
#endif
#ifndef TARGETS
#define TARGETS 1                       /* migrations that are asked for, by both peers together */
#endif
#ifndef ATTEMPTS1
#define ATTEMPTS1 0                     /* how many of them peer 1 may ask for */
#endif
#ifndef DENIALS
#define DENIALS 0                       /* Migrates that may be denied by policy: no fault */
#endif
#ifndef FAULTS
#define FAULTS 0                        /* losses, expired answers, resets by an application, refusals by reset */
#endif
#define W (1 + TARGETS)                 /* wires: the first one and the targets */
#ifndef CONNS
#define CONNS W                         /* connections: W, each wire its own; 1, all on one; 2, to and fro; ANY */
#endif
#ifndef WINDOW
#define WINDOW 8                        /* receive window of a wire, in bytes */
#endif
#ifndef PRUNE
#define PRUNE 0                         /* 1: connections may be closed abruptly as SM-M9 allows */
#endif
#ifndef LATE
#define LATE 0                          /* 1: other events come between the wish for a FIN and its framing */
#endif
#ifndef OPENING
#define OPENING 0                       /* 1: L's own label and its answer are under way at first */
#endif
#ifndef EAGER
#define EAGER 0                         /* 1: peer 0 asks before L's own answer has come, against SM-M1 */
#endif
#ifndef OVERTAKE
#define OVERTAKE 0                      /* 1: a reset discards what is in flight before it, as in QUIC */
#endif
#ifndef STALLED
#define STALLED 2                       /* the peer whose application doesn't read; 2: both do */
#endif
/* The draft of 2022 read literally, and its proof of concept: several wrong variants at once. */
#ifdef MUTANT_draft
#define MUTANT_noTaint
#define MUTANT_finNotHeld
#define MUTANT_glareBothAccept
#define MUTANT_denialBarsForGood
#endif
#ifdef MUTANT_proofOfConcept
#define MUTANT_everyFINCloses
#define MUTANT_finNotMirrored
#define MUTANT_switchOnDeliveredEnd
#define MUTANT_resetIsConsent
#define MUTANT_deniedKeepsAsking
#define MUTANT_ackBeforeArmed
#define MUTANT_openerIgnores
#define MUTANT_readsBeyondLabel
#define MUTANT_resetStaysOnSource
#define MUTANT_acceptWhileIncomplete
#endif

#ifdef REACH
#define STEP atomic                     /* Spin tells the unreached statements only outside of d_step */
#else
#define STEP d_step
#endif

#define NOBODY 255
#define BYTES(i) ((i) == 0 -> BYTES0 : BYTES1)
#define CLOSES(i) (closes[i])
#define CONN(w) ((w) % conns)
#if CONNS == ANY || CONNS == 1
#define CAPACITY ((BYTES0 + BYTES1 + 4) * W)
#else
#define CAPACITY (BYTES0 + BYTES1 + 6)
#endif

/* Properties, as in ../README.md; 8 here is "no bar by a race" (SM-F1). */
#define P1 1
#define P2 2
#define P3 3
#define P4 4
#define P5 5
#define P6 6
#define P7 7
#define NOBAR 8
#define P10 10
#define P11 11

/* ---------------------------------------------------------------- State */

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

/* ---------------------------------------------------------------- Wires: what a multiplexer does */

inline drain(channel) {
    do
    :: len(channel) > 0 -> channel?_, _, _; inflight--
    :: len(channel) == 0 -> break
    od
}

/* Nothing goes behind the own FIN; what goes to a peer that has left the wire is ignored there. */
inline send(sw, sk, sv) {
    if
    :: wire[sw].alive[me] ->
        must(P7, !wire[sw].fin[me]);
        if
        :: sk == FIN -> wire[sw].fin[me] = 1
        :: else
        fi;
        printf("@ %d sends %e %d on %d\n", me, sk, sv, sw);
        if
        :: !lost[CONN(sw)] && wire[sw].alive[1 - me] -> Q(sw, 1 - me)!sw, sk, sv; inflight++
        :: else
        fi
    :: else
    fi
}

/* The peer has no more to do with the wire; what it sent before still arrives. */
inline leave(lw) {
    wire[lw].alive[me] = 0;
    if
    :: wire[lw].owes[me] -> wire[lw].owes[me] = 0; notices--
    :: else
    fi;
    if
    :: conns == W -> drain(Q(lw, me))   /* on a shared connection it is dropped as it arrives */
    :: else
    fi
}

inline resetWire(rw) {
    if
    :: wire[rw].alive[me] && wire[rw].alive[1 - me] && !lost[CONN(rw)] ->
        if
        :: overtakes && conns == W -> drain(Q(rw, 1 - me))
        :: else
        fi;
        printf("@ %d sends %e 0 on %d\n", me, RESET, rw);
        Q(rw, 1 - me)!rw, RESET, 0;
        inflight++
    :: else
    fi;
    leave(rw)
}

/* A connection vanishes with what is in flight. A peer that has not read a wire's Migrate never knew the wire. */
inline lose(lc) {
    lost[lc] = 1;
    drain(q[2 * (lc)]);
    drain(q[2 * (lc) + 1]);
    x = 0;
    do
    :: x < opened ->
        s = 0;
        do
        :: s < 2 ->
            if
            :: CONN(x) == lc && wire[x].alive[s] ->
                if
                :: p[s].src == x || p[s].tgt == x || p[s].yld == x || p[s].held[x] -> wire[x].owes[s] = 1; notices++
                :: else -> wire[x].alive[s] = 0
                fi
            :: else
            fi;
            s++
        :: else -> break
        od;
        x++
    :: else -> break
    od;
    s = 0
}

/* ---------------------------------------------------------------- What an application gets */

inline deliver(dw, dv) {
    must(P1, dv == S.received && !S.ended);
    S.received++;
    wire[dw].flight[me]--;
    printf("@ %d gets %d\n", me, dv)
}

/* SM-M6 */
inline flush() {
    do
    :: len(parked[me]) > 0 -> parked[me]?x, v; deliver(x, v)
    :: len(parked[me]) == 0 -> break
    od
}

inline deliverEnd() {
    must(P2, O.closed && O.written == S.received && !S.ended);
    S.ended = 1;
    printf("@ %d end\n", me)
}

/* ---------------------------------------------------------------- The machine */

/* SM-F9: an abort reaches every leg. */
inline abandon() {
    printf("@ %d aborts\n", me);
    failing = 0;
    S.phase = ENDED;
    S.aborted = 1;
    h = 0;
    do
    :: h < 3 ->
        x = (h == 0 -> S.src : (h == 1 -> S.tgt : S.yld));
        if
#ifdef MUTANT_resetStaysOnSource
        :: x != NOBODY && h == 0 -> resetWire(x)
        :: x != NOBODY && h > 0 -> skip
#else
        :: x != NOBODY -> resetWire(x)
#endif
        :: x == NOBODY -> skip
        fi;
        h++
    :: else -> break
    od;
    S.src = NOBODY;
    S.tgt = NOBODY;
    S.yld = NOBODY;
    do
    :: len(parked[me]) > 0 -> parked[me]?x, v
    :: len(parked[me]) == 0 -> break
    od
}

/* P3: nothing fails unless there was a fault. The abort follows in `settle`. */
inline fail() {
    must(P3, faults < FAULTS);
    failing = 1
}

/* SM-M8: the target is the source from now on. */
inline complete() {
    flush();
    printf("@ %d complete %d\n", me, S.tgt);
    x = S.src;
    S.src = S.tgt;
    S.cur = S.tgt;
    S.tgt = NOBODY;
    S.sourceFINFramed = S.targetFINFramed;
    S.sourceFINRead = S.targetFINRead;
    S.readBehindOwn = S.targetFINRead && S.targetFINFramed;
    S.tainted = 0;
    S.phase = SETTLED;
    S.right = (S.role == RESPONDER -> NORIGHT : (S.targetSpoke -> SAW : AWAITS));
#ifdef MUTANTS
    S.wasInitiator = (S.role == INITIATOR);
#endif
    S.targetFINFramed = 0;
    S.targetFINRead = 0;
    S.targetSpoke = 0;
    S.role = INITIATOR;
    if
    :: x != NOBODY ->
        leave(x);
        if
        :: prunes -> S.left = x
        :: else
        fi
    :: else                             /* lost after both its FINs (SM-F3) */
    fi
}

#ifdef MUTANT_noTaint
#define IN_DOUBT 0
#else
#define IN_DOUBT (S.tainted && S.readBehindOwn)
#endif
#ifdef MUTANT_finNotHeld
#define MAY_END (S.phase == SETTLED || S.phase == ASKING)
#else
#define MAY_END (S.phase == SETTLED)
#endif

/* MigrationMachine.consequences: an end that is due, a hand-off that is complete, a stream at its end. */
inline consequences() {
    if
    :: S.phase == HANDING && S.sourceFINRead && S.targetFINRead && !S.eof ->
        S.eof = 1;
        flush();
        deliverEnd()
    :: else
    fi;
    if
    :: S.phase == HANDING && S.sourceFINRead && S.sourceFINFramed -> complete()
    :: else
    fi;
    if
    :: MAY_END && S.sourceFINRead && !S.eof ->
        if
        :: IN_DOUBT -> printf("@ %d doubts\n", me); fail()     /* SM-F2 */
        :: else -> S.eof = 1; deliverEnd()
        fi
    :: else
    fi;
    if
    :: S.phase == SETTLED && S.sourceFINRead && S.sourceFINFramed ->
        S.phase = ENDED;
        if
        :: S.src != NOBODY -> leave(S.src)
        :: else                         /* lost after both its FINs while asking (SM-F3) */
        fi;
        S.src = NOBODY
    :: else
    fi
}

/* SM-M2, SM-M4, SM-M5: the FIN of the source, behind what is framed there. */
inline frameSource() {
    send(S.src, FIN, 0);
    S.sourceFINFramed = 1;
#ifdef MUTANTS
    S.sentEnd = S.sentEnd || !ON_TARGET(me)
#endif
}

/* SM-M7: the FIN of the target. */
inline frameTarget() {
    send(S.tgt, FIN, 0);
    S.targetFINFramed = 1
}

/* LabelTable.lookup, then MigrationMachine.judge: SM-F4, SM-F5, SM-F6, SM-M1. */
inline judge(jw) {
    x = wire[jw].from;
    if
    :: !S.known[x] ->                   /* its label may be on a slower connection (SM-F6) */
#ifdef MUTANT_unknownIsDenied
        verdict = DENIES
#else
        verdict = HOLDS
#endif
    :: S.known[x] && (S.phase == ENDED || (x != S.cur && x != S.tgt && x != S.yld)) -> verdict = DENIES
    :: S.known[x] && (x == S.cur || x == S.tgt || x == S.yld) && S.phase == SETTLED ->
        verdict = (S.negotiated -> ACCEPTS : HOLDS)
    :: S.known[x] && (x == S.cur || x == S.tgt || x == S.yld) && S.phase == ASKING ->
#ifdef MUTANT_glareBothAccept
        verdict = (x == S.tgt -> HOLDS : ACCEPTS)
#else
        verdict = (x == S.tgt -> HOLDS : (me == 0 -> DENIES : ACCEPTS))
#endif
    :: S.known[x] && (x == S.cur || x == S.tgt || x == S.yld) && S.phase == HANDING ->
#ifdef MUTANT_acceptWhileIncomplete
        verdict = ACCEPTS
#else
        verdict = HOLDS
#endif
    fi
}

/* SM-M3: armed first, the Ack afterwards. SM-F4: an own attempt gives way. SM-F1: the bar of a glare is lifted. */
inline arm(aw) {
    if
    :: S.phase == ASKING -> S.yld = S.tgt
    :: else
    fi;
#ifndef MUTANT_denialBarsForGood
    S.denied = 0;
#endif
    S.phase = HANDING;
    S.role = RESPONDER;
    S.tgt = aw;
    S.targetFINFramed = 0;
    S.targetFINRead = 0;
    S.targetSpoke = 0;
    printf("@ %d armed %d\n", me, aw)
}

inline accept(aw) {
#ifdef MUTANT_ackBeforeArmed
    send(aw, ACK, 0);
    S.arming = aw
#else
    arm(aw);
    send(aw, ACK, 0)
#endif
}

inline deny(dw) {
    send(dw, DENY, 0);
    send(dw, FIN, 0);
    leave(dw)
}

inline judged(jw) {
    judge(jw);
#ifdef MUTANT_finishedIsReset
    if
    :: verdict == DENIES && S.known[x] && (S.phase == ENDED || (x != S.cur && x != S.tgt)) ->
        S.held[jw] = 0; S.holds--; resetWire(jw); verdict = HOLDS
    :: else
    fi;
#endif
#ifdef MUTANT_noHoldForOwnTarget
    if
    :: verdict == HOLDS && S.phase == ASKING && x == S.tgt ->
        S.held[jw] = 0; S.holds--; resetWire(jw)
    :: else
    fi;
#endif
#ifdef MUTANT_glareLoserResets
    if
    :: verdict == ACCEPTS && S.phase == ASKING ->
        S.held[jw] = 0; S.holds--; resetWire(jw); verdict = HOLDS
    :: else
    fi;
#endif
    if
    :: verdict == HOLDS -> skip
    :: verdict == ACCEPTS -> S.held[jw] = 0; S.holds--; accept(jw); again = 1
    :: verdict == DENIES -> S.held[jw] = 0; S.holds--; deny(jw); again = 1
    fi
}

/* What a driver does after every event: it draws the consequences and applies the levels until nothing changes. */
inline settle() {
    again = 1;
    do
    :: again ->
        again = 0;
        if
        :: !failing -> consequences()
        :: else
        fi;
        if
        :: failing -> abandon()
        :: else
        fi;
        if
        :: FROM_TARGET(me) -> flush()
        :: else
        fi;
        if
        :: !late && OWES_SOURCE(me) -> frameSource(); again = 1
        :: else
        fi;
        if
        :: !late && OWES_TARGET(me) -> frameTarget(); again = 1
        :: else
        fi;
        h = 1;
        do
        :: h < opened && !again ->
            if
#ifdef MUTANT_heldNeverJudged
            :: S.held[h] && h == w -> judged(h)
#else
            :: S.held[h] -> judged(h)
#endif
            :: else
            fi;
            h++
        :: else -> break
        od
    :: else -> break
    od;
    h = 0                               /* Spin lets no loop end a d_step */
}

/* MigrationMachine.lost: a leg was reset by the other peer, or its connection is gone. */
inline lostLeg() {
    if
    :: leg == YIELDED || S.phase == ENDED -> skip      /* SM-F4: expected */
#ifdef MUTANT_resetIsConsent
    :: leg == TARGET && S.phase == ASKING -> S.phase = HANDING; S.role = INITIATOR
#else
    :: leg == TARGET && S.phase == ASKING -> S.tainted = 1; S.phase = SETTLED  /* SM-F2 */
#endif
#ifndef MUTANT_lossOfEndedFails
    :: leg == SOURCE && S.phase == ASKING && S.sourceFINRead && S.sourceFINFramed -> skip /* SM-F3: over already */
    :: leg == SOURCE && S.phase == ASKING && !(S.sourceFINRead && S.sourceFINFramed) -> fail()
#else
    :: leg == SOURCE && S.phase == ASKING -> fail()
#endif
    :: leg == SOURCE && S.phase == SETTLED -> fail()
#ifdef MUTANT_responderGoesBack
    :: leg == TARGET && S.phase == HANDING && S.role == RESPONDER && !S.sourceFINFramed -> S.phase = SETTLED
    :: S.phase == HANDING && !(leg == TARGET && S.role == RESPONDER && !S.sourceFINFramed) -> fail()
#else
#ifdef MUTANT_sourceLossIgnored
    :: leg == TARGET && S.phase == HANDING -> fail()
    :: leg == SOURCE && S.phase == HANDING -> skip
#else
    :: leg != YIELDED && S.phase == HANDING -> fail()   /* SM-F3 */
#endif
#endif
    fi
}

inline findLeg(fw) {
    leg = (S.src == fw -> SOURCE : (S.tgt == fw -> TARGET : (S.yld == fw -> YIELDED : NOLEG)))
}

inline forget() {
    if
    :: leg == SOURCE -> S.src = NOBODY
    :: leg == TARGET -> S.tgt = NOBODY
    :: leg == YIELDED -> S.yld = NOBODY
    fi
}

inline gone(gw) {
    leave(gw);
    if
    :: S.held[gw] -> S.held[gw] = 0; S.holds--
    :: else
    fi;
    findLeg(gw);
    if
    :: leg != NOLEG -> forget(); lostLeg()
    :: leg == NOLEG -> skip                     /* a Migrate that was held, or a label that never came */
    fi
}

/* MigrationMachine.answered */
inline answered() {
    findLeg(w);
    must(P7, leg == TARGET || leg == YIELDED);
    if
    :: leg == YIELDED && k == DENY ->   /* SM-F4: expected */
        send(w, FIN, 0);
        leave(w);
#ifdef MUTANT_yieldedDenialCounts
        S.denied = 1;
#endif
        S.yld = NOBODY
    :: leg == YIELDED && k == ACK ->    /* SM-F4: a peer without a rule for glare, or one that gave its own attempt up */
#ifdef CLAIM_yieldedIsNeverAccepted
        must(P3, 0);
#endif
        if
        :: S.phase == ENDED -> resetWire(w); S.yld = NOBODY
        :: else -> printf("@ %d glare\n", me); fail()
        fi
    :: leg == TARGET && k == DENY ->    /* SM-F1; a taint stays (SM-F2) */
        S.denied = 1;
#ifdef MUTANT_denialClearsTaint
        S.tainted = 0;
#endif
#ifndef MUTANT_deniedKeepsAsking
        S.phase = SETTLED;
#endif
        send(w, FIN, 0);
        leave(w);
        S.tgt = NOBODY
    :: leg == TARGET && k == ACK ->     /* SM-M4; SM-F2: the peer was on the source when it accepted */
        S.tainted = 0;
        S.phase = HANDING;
        S.role = INITIATOR
    fi
}

/* MigrationMachine.dataRead and what the driver does with the byte. */
inline byteRead() {
    findLeg(w);
    must(P7, leg == SOURCE || leg == TARGET);
    must(P1, !S.eof && !(leg == SOURCE && S.sourceFINRead) && !(leg == TARGET && S.targetFINRead));   /* SM-F7 */
    if
    :: leg == TARGET -> S.targetSpoke = 1
    :: leg == SOURCE && S.right == AWAITS -> S.right = SAW      /* SM-M9 */
    :: else
    fi;
#ifdef MUTANT_targetNotParked
    deliver(w, v)
#else
    if
    :: leg == TARGET && !FROM_TARGET(me) ->
        parked[me]!w, v;
        must(P10, len(parked[me]) <= WINDOW)
    :: else -> deliver(w, v)
    fi
#endif
}

#define WITHHELD (STALLED == me && S.received > 0 && S.phase == HANDING && S.role == RESPONDER)

/* MigrationMachine.finRead */
inline finRead() {
    findLeg(w);
    must(P7, leg == SOURCE || leg == TARGET);
#ifdef MUTANT_everyFINIsEnd
    if
    :: leg == SOURCE && !S.ended -> deliverEnd(); S.eof = 1
    :: else
    fi;
#endif
#ifdef MUTANT_everyFINCloses
    if
    :: leg == SOURCE && S.phase == SETTLED -> S.closed = 1
    :: else
    fi;
#endif
    if
#ifdef MUTANT_switchOnDeliveredEnd
    :: leg == SOURCE && WITHHELD -> skip        /* the switch waits for the bytes before the FIN to be read */
    :: leg == SOURCE && !WITHHELD ->
#else
    :: leg == SOURCE ->                 /* SM-M5: at the level of the multiplexer */
#endif
        S.sourceFINRead = 1;
        S.readBehindOwn = S.sourceFINFramed;
        S.right = (S.right == AWAITS -> SAW : S.right)          /* SM-M9 */
    :: leg == TARGET ->
        S.targetFINRead = 1;
        S.targetSpoke = 1
    fi
}

/* ---------------------------------------------------------------- Processes */

/* What arrives at a peer on one connection. Connections are independent: each has its own process. */
proctype Link(bit me; byte c) {
    do
    :: atomic {
    if
    :: STEP {
            len(q[2 * c + me]) > 0 ->
                q[2 * c + me]?w, k, v;
                inflight--;
                if
                :: !wire[w].alive[me] -> skip   /* dropped: this side has left the wire */
                :: else ->
                    printf("@ %d reads %e %d on %d\n", me, k, v, w);
                    if
#ifdef MUTANT_openerIgnores
                    :: k == MIGRATE && me == 0 -> leave(w)      /* neither answered nor reset */
                    :: k == MIGRATE && me == 1 -> S.known[w] = 1; S.held[w] = 1; S.holds++
#else
                    :: k == MIGRATE -> S.known[w] = 1; S.held[w] = 1; S.holds++   /* judged behind this */
#endif
                    :: k == ACK || k == DENY -> answered()
                    :: k == BYTE -> byteRead()
                    :: k == FIN -> finRead()
                    :: k == RESET -> gone(w)
                    :: k == LABEL ->
                        S.live = 1;
                        S.negotiated = 1;
                        S.src = 0;
                        S.known[0] = 1;
#ifdef MUTANT_readsBeyondLabel
                        do              /* what has arrived behind the label is read with it, and dropped (SM-W1) */
                        :: q[2 * c + me]?[0, BYTE, v] -> q[2 * c + me]?w, k, v; inflight--
                        :: !q[2 * c + me]?[0, BYTE, v] -> break
                        od;
#endif
                        send(0, ANSWER, 0)
                    :: k == ANSWER -> S.negotiated = 1                            /* SM-M1 */
                    fi
                fi
        }
    :: STEP {                           /* the multiplexer tells its streams of the loss, one after the other */
            len(q[2 * c + me]) == 0 && lost[c] && notices > 0 ->
                w = 0;
                do
                :: w < opened && !(CONN(w) == c && wire[w].owes[me]) -> w++
                :: else -> break
                od;
                if
                :: w < opened -> printf("@ %d loss on %d\n", me, w); gone(w)
                :: else
                fi
        }
    :: STEP {                           /* SM-F1, SM-F10: denied by policy, or at a bound */
            denials > 0 && q[2 * c + me]?[w, MIGRATE, v] ->
                q[2 * c + me]?w, k, v;
                inflight--;
                if
                :: wire[w].alive[me] ->
                    denials--;
                    S.known[w] = 1;
                    printf("@ %d reads %e %d on %d\n", me, k, v, w);
                    deny(w)
                :: else
                fi
        }
    :: STEP {                           /* SM-F10: a refusal by reset, unread */
            faults > 0 && q[2 * c + me]?[w, MIGRATE, v] ->
                q[2 * c + me]?w, k, v;
                inflight--;
                if
                :: wire[w].alive[me] ->
                    faults--;
                    printf("@ %d reads %e %d on %d\n", me, k, v, w);
                    resetWire(w)
                :: else
                fi
        }
    fi;
    STEP { settle() } }
    od
}

#ifdef MUTANT_writesBehindHandOff
#define WRITES_ON S.src
#else
#define WRITES_ON WRITE_WIRE(me)
#endif
#ifdef MUTANT_initiatorPrunesEarly
#define MAY_PRUNE (S.wasInitiator)
#else
#ifdef MUTANT_responderPrunes
#define MAY_PRUNE (!S.wasInitiator)
#else
#define MAY_PRUNE (S.right == SAW)
#endif
#endif

/* The application of a peer, its clock, and its decisions. */
proctype App(bit me) {
    do
    :: atomic {
    if
    :: STEP {                           /* a byte is framed as it is written (SM-M4) */
            S.live && !S.aborted && !S.closed && S.written < BYTES(me) && WRITES_ON != NOBODY &&
            wire[WRITES_ON].flight[1 - me] < WINDOW ->
                printf("@ %d does write\n", me);
                w = WRITES_ON;
                send(w, BYTE, S.written);
                S.written++;
                wire[w].flight[1 - me]++
        }
    :: STEP {
            S.live && !S.aborted && !S.closed && S.written == BYTES(me) && CLOSES(me) ->
                printf("@ %d does close\n", me);
                S.closed = 1
        }
    :: STEP {                           /* SM-M1 */
            S.attempts > 0 && S.live && S.phase == SETTLED && S.yld == NOBODY && !S.denied && opened < W &&
            (S.negotiated || eager) && !lost[CONN(opened)] ->
                printf("@ %d does migrate\n", me);
                w = opened;
                opened++;
                S.attempts--;
                S.phase = ASKING;
                S.tgt = w;
                S.known[w] = 1;
                wire[w].alive[0] = 1;
                wire[w].alive[1] = 1;
                wire[w].from = S.cur;
                send(w, MIGRATE, S.cur)
        }
    :: STEP {                           /* other events of the driver came between wish and framing */
            late && OWES_SOURCE(me) ->
                printf("@ %d does frame\n", me);
                frameSource()
        }
    :: STEP {
            late && OWES_TARGET(me) ->
                printf("@ %d does frame\n", me);
                frameTarget()
        }
    :: STEP {                           /* SM-F8, SM-F2: no answer in time */
            faults > 0 && S.phase == ASKING ->
                printf("@ %d does expire\n", me);
                faults--;
                w = S.tgt;
                resetWire(w);
                S.tgt = NOBODY;
                S.tainted = 1;
                S.phase = SETTLED
        }
    :: STEP {                           /* SM-F8: nor for the yielded attempt */
            faults > 0 && S.yld != NOBODY ->
                printf("@ %d does expire\n", me);
                faults--;
                w = S.yld;
                resetWire(w);
                S.yld = NOBODY
        }
    :: STEP {                           /* SM-F9; a hand-off or a mirrored FIN that is late ends the same way (SM-F8) */
            faults > 0 && S.live && S.phase != ENDED ->
                printf("@ %d does abort\n", me);
                faults--;
                failing = 1
        }
    :: STEP {                           /* SM-F6: 10 s for an unknown `from` */
            WAITS_FOR_LABEL(me) && (faults > 0 || inflight == 0) ->
                printf("@ %d does giveUp\n", me);
                faults = (faults > 0 -> faults - 1 : 0);
                w = 1;
                do
                :: !S.held[w] -> w++
                :: else -> break
                od;
                S.held[w] = 0;
                S.holds--;
                resetWire(w)
        }
    :: STEP {                           /* SM-F3: the multiplexer has done with a source whose two FINs have passed */
            S.phase == ASKING && S.sourceFINRead && S.sourceFINFramed && S.src != NOBODY ->
                printf("@ %d does release %d\n", me, S.src);
                w = S.src;
                gone(w)
        }
    :: STEP {                           /* SM-M9: no fault, and P11: no byte may be lost by it */
            prunes && S.left != NOBODY && !lost[CONN(S.left)] && MAY_PRUNE ->
                printf("@ %d does prune %d\n", me, S.left);
                w = S.left;
                S.left = NOBODY;
                lose(CONN(w))
        }
#ifdef MUTANT_ackBeforeArmed
    :: STEP {
            S.arming != NOBODY ->
                printf("@ %d does arm\n", me);
                w = S.arming;
                S.arming = NOBODY;
                if
                :: S.phase == SETTLED || S.phase == ASKING -> arm(w)
                :: else -> resetWire(w)
                fi
        }
#endif
    fi;
    STEP { settle() } }
    od
}

/* A connection is lost at any moment; each side learns of it by itself. */
proctype Cut(byte c) {
    do
    :: STEP {
        faults > 0 && !lost[c] && opened > c ->
            printf("@ 2 does lose %d\n", c);
            faults--;
            lose(c) }
    od
}

#define NO_RACE_BARS (FAULTS > 0 || DENIALS > 0 || S.phase == ENDED || !S.denied)

/* When nothing more has to happen: what must be true of each side. It changes nothing. */
inline checkRest() {
    must(P7, S.holds == 0 && S.tgt == NOBODY && S.yld == NOBODY && len(parked[me]) == 0);
    must(P7, S.phase == SETTLED || S.phase == ENDED);
    i = 0;
    do
    :: i < opened -> must(P7, !wire[i].alive[me] || S.src == i); i++
    :: else -> break
    od;
    must(NOBAR, NO_RACE_BARS);
    if
    :: S.live && !S.aborted && (O.aborted || !O.live) -> must(P6, S.phase == ENDED)
    :: S.live && !S.aborted && !O.aborted && O.live ->
        must(P5, S.written == BYTES(me));
        must(P4, S.received == BYTES(1 - me) && S.ended == CLOSES(1 - me));
        must(P7, (S.phase == ENDED) == (closes[0] && closes[1]));
        must(P5, S.sourceFINFramed == S.closed && S.sourceFINRead == O.closed)
    :: !S.live || S.aborted -> skip
    fi
}

proctype Rest(bit me) {
    do
    :: STEP { REST -> checkRest() }
    od
}

/* Each choice is a macro's value, or any when the macro is ANY. */
#define CHOICE(variable, macro) \
    if \
    :: macro != 0 -> variable = 1 \
    :: macro == 0 || macro == ANY -> variable = 0 \
    fi

init {
    byte n = 0;
    atomic {
        CHOICE(closes[0], CLOSES0);
        CHOICE(closes[1], CLOSES1);
        CHOICE(late, LATE);
        CHOICE(n, OPENING);
        p[1].negotiated = !n;
        if
        :: n -> CHOICE(eager, EAGER)
        :: else
        fi;
        if
        :: CONNS != ANY -> conns = CONNS
        :: CONNS == ANY -> conns = W
        :: CONNS == ANY && W > 2 -> conns = 2
        :: CONNS == ANY -> conns = 1
        fi;
        if
        :: conns == W -> CHOICE(prunes, PRUNE); CHOICE(overtakes, OVERTAKE)
        :: else
        fi;
        n = 0;
        do
        :: n < TARGETS && ATTEMPTS1 == ANY -> n++
        :: ATTEMPTS1 == ANY || n == ATTEMPTS1 -> break
        :: n < ATTEMPTS1 && ATTEMPTS1 != ANY -> n++
        od
    }
    d_step {
        p[1].attempts = n;
        p[0].attempts = TARGETS - n;
        n = 0;
        p[0].src = 0;
        p[0].live = 1;
        p[0].known[0] = 1;
        p[0].negotiated = p[1].negotiated;
        wire[0].alive[0] = 1;
        wire[0].alive[1] = 1;
        if
        :: p[1].negotiated -> p[1].live = 1; p[1].src = 0; p[1].known[0] = 1
        :: else -> q[1]!0, LABEL, 0; inflight = 1       /* SM-L1: its first bytes follow in the same flight */
        fi
    }
    atomic {
        do
        :: n < conns ->
            run Link(0, n);
            run Link(1, n);
            if
            :: FAULTS > 0 -> run Cut(n)
            :: else
            fi;
            n++
        :: else -> break
        od;
        n = 0;
        run App(0);
        run App(1);
        run Rest(0);
        run Rest(1)
    }
}
