/// Something that is measured: its key, what it is called in the table, and what it is put in relation to.
struct Figure: Hashable, Sendable {
    /// The parts of the table and of the plot, in their order.
    enum Group: String, Sendable, CaseIterable {
        case throughput = "Throughput"
        case streams = "Throughput by streams and writes"
        case cpu = "Processor time"
        case relay = "Through a relay"
        case migration = "Migration"
        case roundTrips = "Round trip"
        case opens = "Opening streams"
        case dials = "Dialling"
        case memory = "Memory"
    }

    let rawValue: String
    let group: Group
    let title: String
    let unit: String
    /// The key of the figure of the same run that it is put in relation to.
    let reference: String?

    init(_ key: String, _ group: Group, _ title: String, _ unit: String, per reference: Figure? = nil) {
        (rawValue, self.group, self.title, self.unit) = (key, group, title, unit)
        self.reference = reference?.rawValue
    }

    /// Whether less is better.
    var isCost: Bool { ["s", "ms", "µs", "KiB"].contains(unit) }

    static func == (lhs: Figure, rhs: Figure) -> Bool { lhs.rawValue == rhs.rawValue }

    func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}

extension Figure {
    // MARK: Throughput

    static let aeadChaCha = Figure(
        "aead.chacha20poly1305", .throughput, "ChaCha20-Poly1305, one core, 65,408 bytes", "Gbit/s")
    static let aeadAES = Figure("aead.aes256gcm", .throughput, "AES-256-GCM, one core, 16,384 bytes", "Gbit/s")
    static let plain = Figure("throughput.nio", .throughput, "TCP through NIO, 65,408-byte writes", "Gbit/s")
    static let plainChaCha = Figure(
        "throughput.nio.chacha20poly1305", .throughput, "TCP through NIO, ChaCha20-Poly1305 per frame", "Gbit/s",
        per: plain)
    static let plainAES = Figure(
        "throughput.nio.aes256gcm", .throughput, "TCP through NIO, AES-256-GCM per frame", "Gbit/s", per: plain)
    static let noiseUp = Figure("throughput.noise.up", .throughput, "one stream, Noise, up", "Gbit/s", per: plainChaCha)
    static let noiseDown = Figure(
        "throughput.noise.down", .throughput, "one stream, Noise, down", "Gbit/s", per: plainChaCha)
    static let tlsUp = Figure("throughput.tls.up", .throughput, "one stream, TLS, up", "Gbit/s", per: plainAES)
    static let tlsDown = Figure("throughput.tls.down", .throughput, "one stream, TLS, down", "Gbit/s", per: plainAES)

    // MARK: Processor time

    static let plainChaChaCPU = Figure(
        "cpu.nio.chacha20poly1305", .cpu, "CPU per GiB, both sides, NIO + ChaCha20-Poly1305", "s")
    static let plainAESCPU = Figure("cpu.nio.aes256gcm", .cpu, "CPU per GiB, both sides, NIO + AES-256-GCM", "s")
    static let noiseUpCPU = Figure("cpu.noise.up", .cpu, "CPU per GiB, both sides, Noise, up", "s", per: plainChaChaCPU)
    static let noiseDownCPU = Figure(
        "cpu.noise.down", .cpu, "CPU per GiB, both sides, Noise, down", "s", per: plainChaChaCPU)
    static let tlsUpCPU = Figure("cpu.tls.up", .cpu, "CPU per GiB, both sides, TLS, up", "s", per: plainAESCPU)
    static let tlsDownCPU = Figure("cpu.tls.down", .cpu, "CPU per GiB, both sides, TLS, down", "s", per: plainAESCPU)

    // MARK: Migration

    static let migratingStill = Figure(
        "migration.none", .migration, "one stream, Noise, up, two connections", "Gbit/s")
    static let migrating = Figure(
        "migration.throughput", .migration, "the same while it migrates every 100 ms", "Gbit/s", per: migratingStill)
    static let stillGap = Figure("migration.gap.none", .migration, "longest gap without migration", "ms")
    static let migratingGap = Figure(
        "migration.gap", .migration, "longest gap with migrations", "ms", per: stillGap)
    static let migrationCount = Figure("migration.count", .migration, "migrations in that time", "")

    // MARK: Round trips

    static let plainRoundTrip = Figure(
        "roundtrip.nio.median", .roundTrips, "round trip, NIO TCP echo, 32 bytes, median", "µs")

    static let noiseRoundTrip = Figure(
        "roundtrip.noise.median", .roundTrips, "round trip, open stream, Noise, median", "µs", per: plainRoundTrip)
    static let noiseRoundTrip99 = Figure(
        "roundtrip.noise.p99", .roundTrips, "round trip, open stream, Noise, p99", "µs", per: plainRoundTrip)
    static let noiseRoundTripOnLoop = Figure(
        "roundtrip.noise.loop.median", .roundTrips, "the same on the connection's loop, Noise, median", "µs",
        per: plainRoundTrip)
    static let noiseRoundTripOnLoop99 = Figure(
        "roundtrip.noise.loop.p99", .roundTrips, "the same on the connection's loop, Noise, p99", "µs",
        per: plainRoundTrip)
    static let tlsRoundTrip = Figure(
        "roundtrip.tls.median", .roundTrips, "round trip, open stream, TLS, median", "µs", per: plainRoundTrip)
    static let tlsRoundTrip99 = Figure(
        "roundtrip.tls.p99", .roundTrips, "round trip, open stream, TLS, p99", "µs", per: plainRoundTrip)
    static let tlsRoundTripOnLoop = Figure(
        "roundtrip.tls.loop.median", .roundTrips, "the same on the connection's loop, TLS, median", "µs",
        per: plainRoundTrip)
    static let tlsRoundTripOnLoop99 = Figure(
        "roundtrip.tls.loop.p99", .roundTrips, "the same on the connection's loop, TLS, p99", "µs", per: plainRoundTrip)

    // MARK: Opens and dials

    static let noiseOpens = Figure(
        "opens.noise.sequential", .opens, "open + 32-byte echo, Noise, one by one", "/s")
    static let noiseOpens16 = Figure(
        "opens.noise.16", .opens, "open + 32-byte echo, Noise, 16 at once", "/s")
    static let noiseOpensOnLoop = Figure(
        "opens.noise.loop.sequential", .opens, "the same on the connection's loop, Noise, one by one", "/s")
    static let noiseOpensOnLoop16 = Figure(
        "opens.noise.loop.16", .opens, "the same on the connection's loop, Noise, 16 at once", "/s")
    static let noiseEnds = Figure(
        "opens.noise.end.sequential", .opens, "open + 32-byte echo, then its end, Noise, one by one", "/s")
    static let noiseEnds16 = Figure(
        "opens.noise.end.16", .opens, "open + 32-byte echo, then its end, Noise, 16 at once", "/s")
    static let tlsOpens = Figure(
        "opens.tls.sequential", .opens, "open + 32-byte echo, TLS, one by one", "/s")
    static let tlsOpens16 = Figure(
        "opens.tls.16", .opens, "open + 32-byte echo, TLS, 16 at once", "/s")
    static let tlsOpensOnLoop = Figure(
        "opens.tls.loop.sequential", .opens, "the same on the connection's loop, TLS, one by one", "/s")
    static let tlsOpensOnLoop16 = Figure(
        "opens.tls.loop.16", .opens, "the same on the connection's loop, TLS, 16 at once", "/s")
    static let tlsEnds = Figure(
        "opens.tls.end.sequential", .opens, "open + 32-byte echo, then its end, TLS, one by one", "/s")
    static let tlsEnds16 = Figure(
        "opens.tls.end.16", .opens, "open + 32-byte echo, then its end, TLS, 16 at once", "/s")
    static let plainDials = Figure("dials.nio", .dials, "TCP connect through NIO, 32-byte echo", "/s")
    static let noiseDials = Figure("dials.noise", .dials, "dial, Noise", "/s", per: plainDials)
    static let noiseDialsIdentified = Figure(
        "dials.noise.identified", .dials, "dial, Noise, identify read", "/s", per: plainDials)
    static let tlsDials = Figure("dials.tls", .dials, "dial, TLS", "/s", per: plainDials)
    static let tlsDialsIdentified = Figure(
        "dials.tls.identified", .dials, "dial, TLS, identify read", "/s", per: plainDials)

    // MARK: Memory

    static let idleProcess = Figure("memory.process", .memory, "resident memory, idle process", "KiB")
    static let perConnection = Figure(
        "memory.connection", .memory, "per idle connection, of 1,000 of one host, listener", "KiB")
}
