import OxbowMigration

// The table of transitions, from what the machines did in walks, and the document that is drawn from it.

/// What can be seen of a transition in the table: the state without what doesn't decide, the event, what came of it.
private struct Row: Hashable, Comparable {
    let state: String
    let event: String
    let next: String
    let actions: String

    private var key: [String] { [state, event, next, actions] }

    static func < (lhs: Row, rhs: Row) -> Bool { lhs.key.lexicographicallyPrecedes(rhs.key) }
}

/// The worlds whose transitions make up the document: every phase, flag and event comes up in them.
private let worlds: [Plan] = [
    Plan("lower asks") {
        $0.bytes = [1, 0]
        $0.faults = 1
    },
    Plan("higher asks") {
        $0.bytes = [1, 0]
        $0.attempts = [0, 1]
        $0.faults = 1
    },
    Plan("glare") {
        $0.bytes = [0, 0]
        $0.attempts = [1, 1]
        $0.faults = 1
    },
    Plan("denial") {
        $0.bytes = [0, 1]
        $0.denials = 1
    },
    Plan("opening") {
        $0.bytes = [0, 0]
        $0.opens = true
    },
    Plan("targets late") {
        $0.bytes = [0, 0]
        $0.attempts = [1, 1]
        $0.opensLate = true
    },
    Plan("taint") {
        $0.bytes = [0, 0]
        $0.attempts = [2, 0]
        $0.faults = 1
        $0.denials = 1
    },
    Plan("silence") {
        $0.bytes = [1, 0]
        $0.faults = 1
        $0.faultKinds = [.silence]
    },
]

/// `Specs/stream-migration/transitions.md`, from walks of the code as it is.
package func transitionDocument() -> String {
    var seen: Set<Transition> = []
    for plan in worlds {
        let run = Run(plan)
        run.record = { seen.insert($0) }
        let outcome = Walk(plan).exhaust(run)
        precondition(outcome.isPassed, "a world of the transition table fails: \(outcome.plan)")
    }
    return document(seen)
}

private func document(_ seen: Set<Transition>) -> String {
    let rows = Set(seen.filter { !isIdle($0) }.map(row)).sorted()
    var lines = [
        "# Transitions of the migration machine", "",
        "What `MigrationMachine` did in walks through \(worlds.count) worlds, drawn by `oxbow-model-check --transitions`. A test compares",
        "this file with the code, so it is never edited by hand. [Rules](README.md) and [model check](model-check.md) explain it.",
        "",
        "## Phases", "", "```mermaid", "stateDiagram-v2", "    [*] --> settled",
    ]
    lines += edges(seen)
    lines += [
        "```", "",
        "An abort by the application or the peer leads from each phase to `ended`; the diagram leaves that out.", "",
    ]
    lines += [
        "## Events", "",
        "States name what decides: the phase, `own FIN` and `peer FIN` when these have passed on the source, `tainted` after an attempt",
        "without an answer, `yielding` while an attempt that gave way has none. Events that changed nothing and said nothing are left out.",
        "", "| state | event | next | actions |", "|---|---|---|---|",
    ]
    lines += rows.map { "| \($0.state) | \($0.event) | \($0.next == $0.state ? "same" : $0.next) | \($0.actions) |" }
    return lines.joined(separator: "\n") + "\n"
}

/// Nothing changed that the table shows, and nothing was said.
private func isIdle(_ transition: Transition) -> Bool {
    transition.actions.isEmpty && state(transition.before) == state(transition.after)
}

private func row(_ transition: Transition) -> Row {
    Row(
        state: state(transition.before), event: event(transition.call), next: state(transition.after),
        actions: transition.actions.map(name).joined(separator: ", "))
}

/// One edge for each pair of phases, with the events and the main actions that lead along it.
private func edges(_ seen: Set<Transition>) -> [String] {
    var labels: [[String]: Set<String>] = [:]
    for transition in seen where transition.before.phase != transition.after.phase {
        // The way of every abort to the end says nothing of its own.
        if transition.call == .abort { continue }
        labels[["\(transition.before.phase)", "\(transition.after.phase)"], default: []].insert(event(transition.call))
    }
    return labels.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { pair, events in
        "    \(pair[0]) --> \(pair[1]): \(events.sorted().joined(separator: ", "))"
    }
}

private func state(_ snapshot: MigrationSnapshot) -> String {
    guard snapshot.phase != .ended else { return snapshot.isYielding ? "ended, yielding" : "ended" }
    var parts = ["\(snapshot.phase)"]
    if snapshot.isSourceFramed { parts.append("own FIN") }
    if snapshot.isSourceRead { parts.append("peer FIN") }
    if snapshot.isTainted { parts.append("tainted") }
    if snapshot.isYielding { parts.append("yielding") }
    return parts.joined(separator: ", ")
}

private func event(_ call: Call) -> String {
    switch call {
    case .closeWrite: "application closes"
    case .negotiated: "negotiated"
    case .begin: "begin"
    case .withdraw: "target can't be opened"
    case .accept: "accepts Migrate"
    case .abort: "application resets"
    case .tick: "deadline"
    case .finFramed(let leg): "FIN framed on \(leg)"
    case .finRead(let leg): "FIN read on \(leg)"
    case .dataRead(let leg): "bytes read on \(leg)"
    case .lost(let leg): "\(leg) lost"
    case .answeredWrongly(let leg): "wrong answer on \(leg)"
    case .answered(let leg, let isAccepted): "\(isAccepted ? "Ack" : "denial") on \(leg)"
    }
}

private func name(_ action: MigrationAction) -> String {
    switch action {
    case .deliverEOF: "EOF"
    case .close(let leg): "close \(leg)"
    case .reset(let leg): "reset \(leg)"
    case .attemptEnded(let outcome): "attempt \(outcome)"
    case .complete(_, _, let role): "complete as \(role)"
    case .finished: "finished"
    case .fail(.lostDuringHandOff(let leg)): "fail: \(leg) lost in the hand-off"
    case .fail(.lost): "fail: lost"
    case .fail(.endInDoubt): "fail: end in doubt"
    case .fail(.acceptedYieldedAttempt): "fail: yielded attempt accepted"
    case .fail(.dataBehindEnd): "fail: data behind the end"
    case .fail(.handOffTimedOut): "fail: timed out"
    }
}
