import Foundation

/// What is measured, in the order of the table.
enum Figure: String, CaseIterable {
    case aeadChaCha = "aead.chacha20poly1305"
    case aeadAES = "aead.aes256gcm"
    case plain = "throughput.nio"
    case plainChaCha = "throughput.nio.chacha20poly1305"
    case plainAES = "throughput.nio.aes256gcm"
    case noiseUp = "throughput.noise.up"
    case noiseDown = "throughput.noise.down"
    case tlsUp = "throughput.tls.up"
    case tlsDown = "throughput.tls.down"
    case plainChaChaCPU = "cpu.nio.chacha20poly1305"
    case plainAESCPU = "cpu.nio.aes256gcm"
    case noiseUpCPU = "cpu.noise.up"
    case noiseDownCPU = "cpu.noise.down"
    case tlsUpCPU = "cpu.tls.up"
    case tlsDownCPU = "cpu.tls.down"
    case migratingStill = "migration.none"
    case migrating = "migration.throughput"
    case stillGap = "migration.gap.none"
    case migratingGap = "migration.gap"
    case migrationCount = "migration.count"
    case plainRoundTrip = "roundtrip.nio.median"
    case noiseRoundTrip = "roundtrip.noise.median"
    case noiseRoundTrip99 = "roundtrip.noise.p99"
    case noiseRoundTripOnLoop = "roundtrip.noise.loop.median"
    case noiseRoundTripOnLoop99 = "roundtrip.noise.loop.p99"
    case tlsRoundTrip = "roundtrip.tls.median"
    case tlsRoundTrip99 = "roundtrip.tls.p99"
    case tlsRoundTripOnLoop = "roundtrip.tls.loop.median"
    case tlsRoundTripOnLoop99 = "roundtrip.tls.loop.p99"
    case noiseOpens = "opens.noise.sequential"
    case noiseOpensOnLoop = "opens.noise.loop.sequential"
    case noiseOpens16 = "opens.noise.16"
    case noiseOpensOnLoop16 = "opens.noise.loop.16"
    case noiseEnds = "opens.noise.end.sequential"
    case noiseEnds16 = "opens.noise.end.16"
    case tlsOpens = "opens.tls.sequential"
    case tlsOpensOnLoop = "opens.tls.loop.sequential"
    case tlsOpens16 = "opens.tls.16"
    case tlsOpensOnLoop16 = "opens.tls.loop.16"
    case tlsEnds = "opens.tls.end.sequential"
    case tlsEnds16 = "opens.tls.end.16"
    case plainDials = "dials.nio"
    case noiseDials = "dials.noise"
    case noiseDialsIdentified = "dials.noise.identified"
    case tlsDials = "dials.tls"
    case tlsDialsIdentified = "dials.tls.identified"
    case idleProcess = "memory.process"
    case perConnection = "memory.connection"
    case perStreamListener = "memory.stream.listener"
    case perStreamDialer = "memory.stream.dialer"

    var title: String {
        switch self {
        case .aeadChaCha: "ChaCha20-Poly1305, one core, 65,408 bytes"
        case .aeadAES: "AES-256-GCM, one core, 16,384 bytes"
        case .plain: "TCP through NIO, 65,408-byte writes"
        case .plainChaCha: "TCP through NIO, ChaCha20-Poly1305 per frame"
        case .plainAES: "TCP through NIO, AES-256-GCM per frame"
        case .noiseUp: "one stream, Noise, up"
        case .noiseDown: "one stream, Noise, down"
        case .tlsUp: "one stream, TLS, up"
        case .tlsDown: "one stream, TLS, down"
        case .plainChaChaCPU: "CPU per GiB, both sides, NIO + ChaCha20-Poly1305"
        case .plainAESCPU: "CPU per GiB, both sides, NIO + AES-256-GCM"
        case .noiseUpCPU: "CPU per GiB, both sides, Noise, up"
        case .noiseDownCPU: "CPU per GiB, both sides, Noise, down"
        case .tlsUpCPU: "CPU per GiB, both sides, TLS, up"
        case .tlsDownCPU: "CPU per GiB, both sides, TLS, down"
        case .migratingStill: "one stream, Noise, up, two connections"
        case .migrating: "the same while it migrates every 100 ms"
        case .stillGap: "longest gap without migration"
        case .migratingGap: "longest gap with migrations"
        case .migrationCount: "migrations in that time"
        case .plainRoundTrip: "round trip, NIO TCP echo, 32 bytes, median"
        case .noiseRoundTrip: "round trip, open stream, Noise, median"
        case .noiseRoundTrip99: "round trip, open stream, Noise, p99"
        case .noiseRoundTripOnLoop: "the same on the connection's loop, Noise, median"
        case .noiseRoundTripOnLoop99: "the same on the connection's loop, Noise, p99"
        case .tlsRoundTrip: "round trip, open stream, TLS, median"
        case .tlsRoundTrip99: "round trip, open stream, TLS, p99"
        case .tlsRoundTripOnLoop: "the same on the connection's loop, TLS, median"
        case .tlsRoundTripOnLoop99: "the same on the connection's loop, TLS, p99"
        case .noiseOpens: "open + 32-byte echo, Noise, one by one"
        case .noiseOpensOnLoop: "the same on the connection's loop, Noise, one by one"
        case .noiseOpens16: "open + 32-byte echo, Noise, 16 at once"
        case .noiseOpensOnLoop16: "the same on the connection's loop, Noise, 16 at once"
        case .noiseEnds: "open + 32-byte echo, then its end, Noise, one by one"
        case .noiseEnds16: "open + 32-byte echo, then its end, Noise, 16 at once"
        case .tlsOpens: "open + 32-byte echo, TLS, one by one"
        case .tlsOpensOnLoop: "the same on the connection's loop, TLS, one by one"
        case .tlsOpens16: "open + 32-byte echo, TLS, 16 at once"
        case .tlsOpensOnLoop16: "the same on the connection's loop, TLS, 16 at once"
        case .tlsEnds: "open + 32-byte echo, then its end, TLS, one by one"
        case .tlsEnds16: "open + 32-byte echo, then its end, TLS, 16 at once"
        case .plainDials: "TCP connect through NIO, 32-byte echo"
        case .noiseDials: "dial, Noise"
        case .noiseDialsIdentified: "dial, Noise, identify read"
        case .tlsDials: "dial, TLS"
        case .tlsDialsIdentified: "dial, TLS, identify read"
        case .idleProcess: "resident memory, idle process"
        case .perConnection: "resident memory per idle connection, listener"
        case .perStreamListener: "resident memory per idle stream and its task, listener"
        case .perStreamDialer: "resident memory per idle stream, dialer"
        }
    }

    var unit: String {
        switch self {
        case .aeadChaCha, .aeadAES, .plain, .plainChaCha, .plainAES, .noiseUp, .noiseDown, .tlsUp, .tlsDown,
            .migratingStill, .migrating:
            "Gbit/s"
        case .plainChaChaCPU, .plainAESCPU, .noiseUpCPU, .noiseDownCPU, .tlsUpCPU, .tlsDownCPU: "s"
        case .stillGap, .migratingGap: "ms"
        case .migrationCount: ""
        case .plainRoundTrip, .noiseRoundTrip, .noiseRoundTrip99, .tlsRoundTrip, .tlsRoundTrip99,
            .noiseRoundTripOnLoop, .noiseRoundTripOnLoop99, .tlsRoundTripOnLoop, .tlsRoundTripOnLoop99:
            "µs"
        case .noiseOpens, .noiseOpens16, .noiseOpensOnLoop, .noiseOpensOnLoop16, .noiseEnds, .noiseEnds16,
            .tlsOpens, .tlsOpens16, .tlsOpensOnLoop, .tlsOpensOnLoop16, .tlsEnds, .tlsEnds16, .plainDials, .noiseDials,
            .noiseDialsIdentified,
            .tlsDials, .tlsDialsIdentified:
            "/s"
        case .idleProcess, .perConnection, .perStreamListener, .perStreamDialer: "KiB"
        }
    }

    /// The figure of the same run that it is put in relation to.
    var reference: Figure? {
        switch self {
        case .plainChaCha, .plainAES: .plain
        case .noiseUp, .noiseDown: .plainChaCha
        case .tlsUp, .tlsDown: .plainAES
        case .noiseUpCPU, .noiseDownCPU: .plainChaChaCPU
        case .tlsUpCPU, .tlsDownCPU: .plainAESCPU
        case .migrating: .migratingStill
        case .migratingGap: .stillGap
        case .noiseRoundTrip, .noiseRoundTrip99, .tlsRoundTrip, .tlsRoundTrip99,
            .noiseRoundTripOnLoop, .noiseRoundTripOnLoop99, .tlsRoundTripOnLoop, .tlsRoundTripOnLoop99:
            .plainRoundTrip
        case .noiseDials, .noiseDialsIdentified, .tlsDials, .tlsDialsIdentified: .plainDials
        default: nil
        }
    }

    /// Whether less is better.
    var isCost: Bool { ["s", "ms", "µs", "KiB"].contains(unit) }
}

/// Collects the values of all runs.
final class Report {
    private var values: [Figure: [Double]] = [:]

    func add(_ figure: Figure, _ value: Double) {
        values[figure, default: []].append(value)
    }

    func median(_ figure: Figure) -> Double? {
        guard let sorted = values[figure]?.sorted(), !sorted.isEmpty else { return nil }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// One line per figure: median, spread, and its relation to the reference.
    var table: String {
        let head = ["what", "median", "", "spread", "reference of the same run"]
        let rows = Figure.allCases.compactMap(row)
        let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
        let rule = widths.map { String(repeating: "-", count: $0) }
        return ([head, rule] + rows).map { row in
            zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 1 ? padding + cell.0 : cell.0 + padding
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private func row(_ figure: Figure) -> [String]? {
        guard let median = median(figure), let all = values[figure], let low = all.min(), let high = all.max() else {
            return nil
        }
        let spread = all.count > 1 ? "\(Self.text(low)) to \(Self.text(high))" : ""
        var relation = ""
        if let reference = figure.reference, let other = self.median(reference), other > 0 {
            let share = median / other
            relation = figure.isCost ? String(format: "%.2f × ", share) : String(format: "%.0f %% of ", share * 100)
            relation += "\(Self.text(other)) \(reference.unit), \(reference.title)"
        }
        return [figure.title, Self.text(median), figure.unit, spread, relation]
    }

    private static func text(_ value: Double) -> String {
        String(format: value >= 1_000 ? "%.0f" : value >= 100 ? "%.1f" : "%.2f", value)
    }

    /// One object: the medians by key.
    func json(_ options: Options) -> String {
        var object: [String: Any] = [
            "command": "bench", "machine": Machine.description, "runs": options.runs, "seconds": options.seconds,
        ]
        for figure in Figure.allCases {
            object[figure.rawValue] = median(figure).map { ($0 * 1_000).rounded() / 1_000 }
        }
        let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
