import OxbowCore
import OxbowMigration
import OxbowNIO

/// A property of `Specs/stream-migration` that a run violated.
package struct SimulationViolation: Hashable, Sendable, CustomStringConvertible {
    package enum Property: String, Hashable, Sendable {
        case p1 = "P1: what is delivered is a prefix of what was written"
        case p2 = "P2: an end only behind every byte"
        case p3 = "P3: nothing aborts without a fault"
        case p4 = "P4: each side ends, complete or with an error"
        case p5 = "P5: half-closed before and after"
        case p6 = "P6: a reset reaches both sides"
        case p7 = "P7: nothing is left"
        case p8 = "P8: the time is bounded"
        case p9 = "P9: no more moves than were asked for"
        case p10 = "P10: at most two windows of memory"
        case crash = "no crash"
    }

    package let property: Property
    package let what: String

    package init(_ property: Property, _ what: String) {
        (self.property, self.what) = (property, what)
    }

    package var description: String { "\(property.rawValue): \(what)" }
}

/// What happened in runs, in numbers: so that it's plain that they were about something.
package struct SimulationCounts: Hashable, Sendable {
    package var events = 0
    package var faults = 0
    package var pruned = 0
    /// Moves that were asked for, and what came of them on the side that asked.
    package var asked = 0
    package var completed = 0
    package var denied = 0
    package var failed = 0
    package var refused = 0
    package var ended = 0
    /// Completed migrations, counted by each side.
    package var migrations = 0
    /// Sides of streams that ended cleanly, and with an error.
    package var clean = 0
    package var aborted = 0
    package var bytes = 0
    package var virtualTime = Duration.zero

    package init() {}

    mutating func count(_ result: Result<MigrationRecord, any Error>) {
        switch result {
        case .success: completed += 1
        case .failure(let error as MigrationAttemptError) where error.outcome == .denied: denied += 1
        case .failure(is MigrationAttemptError): failed += 1
        case .failure(is MigrationRefusal): refused += 1
        case .failure: ended += 1
        }
    }

    package static func += (sum: inout Self, other: Self) {
        sum.events += other.events
        sum.faults += other.faults
        sum.pruned += other.pruned
        sum.asked += other.asked
        sum.completed += other.completed
        sum.denied += other.denied
        sum.failed += other.failed
        sum.refused += other.refused
        sum.ended += other.ended
        sum.migrations += other.migrations
        sum.clean += other.clean
        sum.aborted += other.aborted
        sum.bytes += other.bytes
        sum.virtualTime += other.virtualTime
    }
}

extension SimulationRun {
    /// Who isn't over although the time of every wait is.
    func hung() -> [SimulationViolation] {
        let limit = plan.faults.isEmpty ? Self.calmLimit : Self.calmLimit + Self.disturbedLimit
        return applications.compactMap { $0 }.filter { !$0.isOver }.map { application in
            SimulationViolation(
                .p8,
                "\(application.name) is not over \(limit) after the last disturbance: read \(application.received), "
                    + "wrote \(application.sent), read end \(describe(application.end)), "
                    + "write side \(application.writeEndedAt == nil ? "open" : "closed")")
        }
    }

    /// Everything that can be said once all is over.
    func check() -> [SimulationViolation] {
        var violations: [SimulationViolation] = []
        for index in plan.streams.indices {
            let (opener, acceptor) = (applications[index * 2], applications[index * 2 + 1])
            if let opener { violations += check(opener, acceptor) }
            if let acceptor { violations += check(acceptor, opener) }
            violations += checkMoves(of: index)
        }
        if plan.isCalm { violations += checkCalm() }
        for application in applications.compactMap({ $0 }) {
            counts.bytes += application.received
            switch application.end {
            case .clean?: counts.clean += 1
            case .failed?: counts.aborted += 1
            case nil: break
            }
        }
        return violations
    }

    private func describe(_ end: SimulatedStream.End?) -> String {
        switch end {
        case nil: "not reached"
        case .clean?: "clean"
        case .failed(let error)?: "\(error)"
        }
    }

    /// One direction: what `reader` got of what `writer` sent. No writer: the stream never reached it.
    private func check(_ reader: SimulatedApplication, _ writer: SimulatedApplication?) -> [SimulationViolation] {
        var violations: [SimulationViolation] = []
        let (sent, who) = (writer?.sent ?? 0, reader.name)
        if let index = reader.wrongByteAt {
            violations.append(SimulationViolation(.p1, "\(who) read a wrong byte at \(index)"))
        }
        if reader.received > sent {
            violations.append(SimulationViolation(.p1, "\(who) read \(reader.received) bytes of \(sent)"))
        }
        if reader.end == .clean {
            if reader.received != sent {
                violations.append(
                    SimulationViolation(.p2, "\(who) read a clean end behind \(reader.received) of \(sent) bytes"))
            }
            if writer?.hasClosed != true {
                violations.append(SimulationViolation(.p2, "\(who) read an end that the peer did not make"))
            }
        }
        if !reader.isOver {
            violations.append(SimulationViolation(.p4, "\(who) hangs: its end is \(describe(reader.end))"))
        }
        if reader.mostHeld > plan.heldBound {
            violations.append(
                SimulationViolation(.p10, "\(who) held \(reader.mostHeld) bytes, more than \(plan.heldBound)"))
        }
        return violations
    }

    private func checkMoves(of stream: Int) -> [SimulationViolation] {
        let asked = plan.moves.count { $0.stream == stream }
        return [0, 1].compactMap { side in
            guard let application = applications[stream * 2 + side] else { return nil }
            let moved = application.logical.snapshot.migrationCount
            guard moved > asked else { return nil }
            return SimulationViolation(.p9, "\(application.name) moved \(moved) times, asked for \(asked)")
        }
    }

    // MARK: Without a fault

    private func checkCalm() -> [SimulationViolation] {
        var violations: [SimulationViolation] = []
        for index in plan.streams.indices {
            let sides = [applications[index * 2], applications[index * 2 + 1]]
            let hasReset = sides.contains { $0?.hasReset == true }
            for side in [0, 1] {
                guard let application = sides[side] else {
                    // A reset can be quicker than the stream's own open.
                    if !hasReset { violations.append(SimulationViolation(.p3, "stream \(index) has no side \(side)")) }
                    continue
                }
                guard case .failed(let error)? = application.end, !application.hasReset else { continue }
                if !hasReset {
                    violations.append(SimulationViolation(.p3, "\(application.name) failed without a fault: \(error)"))
                }
            }
            violations += checkReset(sides)
        }
        let isReset = applications.contains { $0?.hasReset == true }
        if !isReset, counts.failed > 0 {
            violations.append(SimulationViolation(.p3, "\(counts.failed) attempts failed without a fault"))
        }
        return violations
    }

    /// A reset reaches the other side as soon as the slowest line and a pause of its reader let it.
    private func checkReset(_ sides: [SimulatedApplication?]) -> [SimulationViolation] {
        let slowest = plan.lines.flatMap { [$0.there, $0.back] }.map { $0.delay + $0.jitter + $0.perKiB * 512 }.max()
        return [(0, 1), (1, 0)].compactMap { own, other in
            guard let resetAt = sides[own]?.resetAt, let application = sides[other], !application.hasFinished,
                let endedAt = application.endedAt
            else { return nil }
            let pauses = application.script.readPause + application.script.startsReading
            let limit = (slowest ?? .zero) * 3 + pauses + .milliseconds(100)
            guard endedAt > resetAt + limit, case .failed = application.end else { return nil }
            return SimulationViolation(.p6, "\(application.name) learns of a reset \(endedAt - resetAt) later")
        }
    }
}
