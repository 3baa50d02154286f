/* The machine: what was read on a leg, and the loss of one. */

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
