/*
 * Stream migration between two peers: one logical stream L, its underlying streams, and the channels between them.
 *
 * The rules are those of ../README.md; each transition names the rule that it models. The state of a peer is the state
 * of MigrationMachine, and an event here is an event there, applied with its consequences in one step (STEP): README.md
 * beside this file says what is left out and why that is sound. `check` beside this file runs it.
 *
 * Peer 0 has the lower peer id and opened L. The id of an underlying stream is its number here, its "wire".
 */

#include "bounds.pml"
#include "state.pml"
#include "wires.pml"
#include "machine.pml"
#include "events.pml"
#include "peers.pml"

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
