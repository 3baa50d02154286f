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
        case peers = "Beside other peers"
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

    // MARK: Processor time

    static let plainChaChaCPU = Figure(
        "cpu.nio.chacha20poly1305", .cpu, "CPU per GiB, both sides, NIO + ChaCha20-Poly1305", "s")
    static let plainAESCPU = Figure("cpu.nio.aes256gcm", .cpu, "CPU per GiB, both sides, NIO + AES-256-GCM", "s")

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

    // MARK: Dials

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
