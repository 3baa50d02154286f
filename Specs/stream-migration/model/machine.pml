/* The machine: what follows from its state after an event, and how a Migrate is judged. */

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
