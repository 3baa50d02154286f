/* Bounds and choices: -D on the command line. Variants that are several variants at once. */

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
