/* The processes of a peer: what arrives on each connection, its application, and faults. */

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
