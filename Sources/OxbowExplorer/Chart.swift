import OxbowMigration

// A way through a world as a message sequence chart, as `Specs/stream-migration` draws them.

extension World {
    package static func chart(_ plan: Plan, _ path: [Event]) -> String {
        var chart = Chart(plan)
        var world = World(plan)
        for event in path { chart.draw(event, &world) }
        return chart.lines.joined(separator: "\n")
    }
}

private struct Chart {
    private static let names = ["lower", "higher", "third"]

    private(set) var lines: [String] = []
    private let run: Run
    private let notes = Notes()

    private final class Notes {
        var texts: [String] = []
    }

    init(_ plan: Plan) {
        run = Run(plan)
        let notes = notes
        run.note = { spot, action in
            if let text = Self.describe(action) {
                notes.texts.append("\(Self.name(spot.side, link: spot.stream < plan.streams ? 0 : 1)): \(text)")
            }
        }
        lines.append(Lifelines.heading)
    }

    mutating func draw(_ event: Event, _ world: inout World) {
        let before = world
        notes.texts = []
        do throws(Violation) { try world.apply(event, run) } catch { notes.texts.append("✗ \(error)") }
        lines += body(event, before)
        for note in notes.texts { lines[lines.count - 1] += (note == notes.texts.first ? "  " : "; ") + note }
    }

    private func body(_ event: Event, _ world: World) -> [String] {
        switch event {
        case .deliver(let connection, let side), .refuse(let connection, let side), .deny(let connection, let side),
            .garble(let connection, let side):
            guard let frame = world.connections[connection].toward[side].first else { return [] }
            let note: String =
                switch event {
                case .refuse: ", reset unread"
                case .deny: ", denied"
                case .garble: ", garbled"
                default: ""
                }
            return [arrow(frame, to: side, world, note)]
        case .learnLoss(let connection, let side, _):
            let lost = world.connections[connection].toward[side].map { arrow($0, to: side, world, " ✗ lost") }
            let link = world.connections[connection].link
            return lost + [local(side, "learns that connection \(connection) is gone", link: link)]
        case .lose(let connection, let isSilent):
            let text = " connection \(connection) \(isSilent ? "goes silent" : "breaks") "
            return [Lifelines.across(text)]
        case .elapse: return [Lifelines.across(" time passes ", fill: " ")]
        case .intrude(let intrusion): return [local(1, "third peer: \(intrusion)", link: 1)]
        case .write(let spot): return [act(spot, "writes byte \(world[spot].written)", world)]
        case .close(let spot): return [act(spot, "closes its write side", world)]
        case .read(let spot): return [act(spot, "reads", world)]
        case .begin(let spot): return [act(spot, "asks to migrate", world)]
        case .open(let spot, let succeeds): return [act(spot, succeeds ? "opens the target" : "can't open it", world)]
        case .frameFIN(let spot, let leg): return [act(spot, "frames FIN on the \(leg)", world)]
        case .arm(let spot): return [act(spot, "arms its state", world)]
        case .prune(let spot): return [act(spot, "closes the old connection at once", world)]
        case .expire(let spot): return [act(spot, "runs out of patience", world)]
        case .abort(let spot): return [act(spot, "resets the stream", world)]
        }
    }

    private func act(_ spot: Spot, _ text: String, _ world: World) -> String {
        let which = world.streams.count > 1 ? "stream \(spot.stream): " : ""
        return local(spot.side, which + text, link: world.streams[spot.stream].link)
    }

    private func local(_ side: Int, _ text: String, link: Int) -> String {
        Lifelines.local(side, link == 0 ? text : "[\(Self.name(side, link: link))] \(text)")
    }

    private func arrow(_ frame: Frame, to side: Int, _ world: World, _ note: String) -> String {
        let wire = Int(frame.wire)
        let third = world.link(of: wire) == 0 ? "" : " (third)"
        let label = "\(Self.describe(frame))\(note)\(third)"
        return Lifelines.arrow(label, to: side, name: "s\(wire)", line: frame.kind == .byte ? "═" : "─")
    }

    private static func name(_ side: Int, link: Int) -> String { names[side == 1 && link == 1 ? 2 : side] }

    private static func describe(_ frame: Frame) -> String {
        switch frame.kind {
        case .label: "Label(\(frame.value))"
        case .negotiated: "the protocol's answer"
        case .migrate: "Migrate(\(frame.value), from \(frame.from))"
        case .ack: "AckMigrate"
        case .denial: "AckMigrate(deny)"
        case .byte: "byte \(frame.value)"
        case .fin: "FIN"
        case .reset: "RST"
        case .credit: "credit \(frame.value)"
        }
    }

    private static func describe(_ action: MigrationAction) -> String? {
        switch action {
        case .deliverEOF: "EOF"
        case .close(let leg): "closes the \(leg)"
        case .reset(let leg): "resets the \(leg)"
        case .attemptEnded(let outcome): "attempt \(outcome)"
        case .complete(let id, _, _): "complete, id \(id)"
        case .finished: "ended"
        case .fail(let failure): "fails (\(failure.name))"
        }
    }
}

extension MigrationFailure {
    fileprivate var name: String {
        switch self {
        case .lost: "lost"
        case .lostDuringHandOff(let leg): "\(leg) lost in the hand-off"
        case .endInDoubt: "end in doubt"
        case .acceptedYieldedAttempt: "yielded attempt accepted"
        case .dataBehindEnd: "data behind the end"
        case .handOffTimedOut: "timed out"
        }
    }
}
