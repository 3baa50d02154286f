import OxbowCommandLine
import OxbowCore

/// What a demo showed.
struct DemoResult: Sendable {
    struct Path: Sendable, Equatable {
        /// From 1.
        let number: Int
        let address: String
        let security: String
    }

    let plan: DemoPlan
    let a: DemoSideReport
    let b: DemoSideReport
    let overhead: DemoOverhead
    let seconds: Double
    let paths: [Path]

    init(
        plan: DemoPlan, a: DemoSideReport, b: DemoSideReport, label: UInt64?, seconds: Double, paths: [Path]
    ) {
        (self.plan, self.a, self.b, self.seconds, self.paths) = (plan, a, b, seconds, paths)
        overhead = DemoOverhead(protocolID: DemoSide.protocolID, label: label, moves: a.moves)
    }

    // MARK: What was to be shown

    var isEqualToB: Bool { !a.sentDigest.isEmpty && a.sentDigest == b.receivedDigest }
    var isEqualToA: Bool { !b.sentDigest.isEmpty && b.sentDigest == a.receivedDigest }
    var isEqual: Bool {
        isEqualToA && isEqualToB && [a, b].allSatisfy { $0.bytesSent == plan.size && $0.bytesReceived == plan.size }
    }
    /// Those that both sides count.
    var migrations: Int { min(a.migrations, b.migrations) }
    func initiated(by party: DemoParty) -> Int {
        (party == .a ? a : b).moves.count { $0.isInitiator }
    }
    var connectionsLeft: Int { max(a.connectionsLeft, b.connectionsLeft) }
    var longestGap: Double { (a.moves + b.moves).map(\.gapMilliseconds).max() ?? 0 }
    var heldBackSeconds: Double { max(a.heldBackSeconds, b.heldBackSeconds) }
    /// Of both directions together.
    var gigabitsPerSecond: Double { Double(2 * plan.size) * 8 / max(seconds, 1e-9) / 1e9 }

    /// What is not as it should be; empty when the demo showed what it promised.
    var shortcomings: [String] {
        var list: [String] = []
        if !isEqualToB { list.append("the file that B received is not the one that A sent") }
        if !isEqualToA { list.append("the file that A received is not the one that B sent") }
        if isEqualToA, isEqualToB, !isEqual { list.append("a file had another length than planned") }
        if migrations < plan.migrations {
            list.append("the stream moved \(migrations) times instead of \(plan.migrations)")
        }
        if a.connectionsLeft != 1 || b.connectionsLeft != 1 {
            list.append("\(a.connectionsLeft) connections are left at A and \(b.connectionsLeft) at B instead of one")
        }
        return list
    }

    // MARK: By path

    /// Bytes from A to B and from B to A on each path. The last one has what is left over.
    var bytesByPath: [(toB: UInt64, toA: UInt64)] {
        var list = a.moves.map { (toB: $0.bytesWritten, toA: $0.bytesRead) }
        let before = list.reduce((toB: UInt64(0), toA: UInt64(0))) { ($0.toB &+ $1.toB, $0.toA &+ $1.toA) }
        list.append((UInt64(a.bytesSent) &- before.toB, UInt64(a.bytesReceived) &- before.toA))
        return list
    }

    var fields: [(String, JSON)] {
        let isShown = shortcomings.isEmpty
        return [
            ("bytes", .int(Int64(plan.size))), ("sha256_equal", .bool(isEqual)),
            ("migrations", .int(Int64(migrations))), ("longest_gap_ms", .rounded(longestGap)),
            ("overhead_bytes", .int(Int64(overhead.total))), ("seconds", .rounded(seconds)),
            ("connections_left", .int(Int64(connectionsLeft))), ("shown", .bool(isShown)),
            ("migrations_wanted", .int(Int64(plan.migrations))),
            ("initiated_by_a", .int(Int64(initiated(by: .a)))), ("initiated_by_b", .int(Int64(initiated(by: .b)))),
            ("bytes_a_to_b", .int(Int64(b.bytesReceived))), ("bytes_b_to_a", .int(Int64(a.bytesReceived))),
            ("sha256_a_to_b", .string(a.sentDigest)), ("sha256_b_to_a", .string(b.sentDigest)),
            ("security", .string(plan.security)), ("gbit_per_second", .rounded(gigabitsPerSecond)),
            ("held_back_seconds", .rounded(heldBackSeconds)),
            ("overhead_label_bytes", .int(Int64(overhead.label))),
            ("overhead_migration_bytes", .int(Int64(overhead.migrations))),
            ("paths", .array(pathFields)), ("moves", .array(moveFields)),
        ]
    }

    private var pathFields: [JSON] {
        zip(paths, bytesByPath).map { path, bytes in
            .object([
                ("connection", .int(Int64(path.number))), ("address", .string(path.address)),
                ("security", .string(path.security)), ("bytes_a_to_b", .uint(bytes.toB)),
                ("bytes_b_to_a", .uint(bytes.toA)),
            ])
        }
    }

    private var moveFields: [JSON] {
        zip(a.moves, b.moves).enumerated().map { index, sides in
            .object([
                ("number", .int(Int64(index + 1))), ("initiator", .string(sides.0.isInitiator ? "A" : "B")),
                ("gap_at_a_ms", .rounded(sides.0.gapMilliseconds)),
                ("gap_at_b_ms", .rounded(sides.1.gapMilliseconds)),
                ("milliseconds", .rounded(max(sides.0.milliseconds, sides.1.milliseconds))),
            ])
        }
    }
}
