/* Wires: what a multiplexer does, and what an application gets of them. */

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
