import OxbowCore
import OxbowProtocols
import OxbowSeeds
import OxbowWire
import Testing

/// The two real machines, and between them two byte queues that hand over a few bytes at a time.
private struct Shuttle {
    var dialer: OutboundStreamNegotiation
    var listener: InboundStreamNegotiation
    var toListener: [UInt8] = []
    var toDialer: [UInt8] = []
    var dialerInput: ArraySlice<UInt8> = []
    var listenerInput: ArraySlice<UInt8> = []
    var dialerStep: OutboundStreamNegotiation.Step?
    var listenerStep: InboundStreamNegotiation.Step?
    var dialerError: StreamNegotiationError?

    init(
        _ intent: OutboundStreamNegotiation.Intent, behind: [UInt8] = [], dialect: MigrationDialect = .draft,
        migrationEnabled: Bool = true, eager: Bool = false
    ) {
        dialer = OutboundStreamNegotiation(intent, dialect: dialect)
        listener = InboundStreamNegotiation(migrationEnabled: migrationEnabled, eager: eager)
        toListener = dialer.start() + behind
        toDialer = listener.start()
    }

    /// Runs until nothing moves; `accept` answers a migrate.
    mutating func run(supporting supported: Set<ProtocolID>, accept: Bool = true, random: inout SplitMix64) throws {
        while !(toListener.isEmpty && toDialer.isEmpty) {
            if random.next() % 2 == 0 {
                listenerInput += take(&toListener, &random)
                if listenerStep == nil { try stepListener(supported, accept) }
            } else {
                dialerInput += take(&toDialer, &random)
                if dialerStep == nil, dialerError == nil { stepDialer() }
            }
        }
    }

    private func take(_ queue: inout [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        let count = min(queue.count, Int(random.next() % 30))
        defer { queue.removeFirst(count) }
        return Array(queue.prefix(count))
    }

    private mutating func stepListener(_ supported: Set<ProtocolID>, _ accept: Bool) throws {
        let step = try listener.receive(&listenerInput) { supported.contains($0) }
        switch step {
        case .needMore(let send): toDialer += send
        case .ready(let id, let label, let send):
            toDialer += send + [0xd0, 0xd1]
            listenerStep = .ready(id, label: label, send: [])
        case .migrate(let id, let from, let dialect, let send):
            toDialer += send + listener.answer(accept: accept)
            listenerStep = .migrate(id: id, from: from, dialect: dialect, send: [])
        }
    }

    private mutating func stepDialer() {
        do {
            switch try dialer.receive(&dialerInput) {
            case .needMore(let send): toListener += send
            case let step: dialerStep = step
            }
        } catch { dialerError = error }
    }
}

@Suite struct StreamNegotiationShuttleTests {
    @Test(arguments: 0..<50) func lazyStreamsCarryTheirBytesRightBehind(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let first = random.bytes(Int(random.next() % 50))
        for label in [nil, 0, UInt64.max] {
            for dialect in [MigrationDialect.draft, .proofOfConcept] {
                let intent = label.map { OutboundStreamNegotiation.Intent.labelled(id: $0, protocols: [chat]) }
                var shuttle = Shuttle(
                    intent ?? .plain(protocols: [chat]), behind: first, dialect: dialect, eager: seed % 2 == 0)
                try shuttle.run(supporting: [chat], random: &random)
                #expect(shuttle.dialerStep == .ready(chat))
                #expect(shuttle.listenerStep == .ready(chat, label: label, send: []))
                #expect(Array(shuttle.listenerInput) == first)
                #expect(Array(shuttle.dialerInput) == [0xd0, 0xd1])
            }
        }
    }

    @Test(arguments: 0..<50) func theSecondProtocolIsTakenWhenTheFirstIsRefused(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for intent in [
            OutboundStreamNegotiation.Intent.plain(protocols: [mail, chat]),
            .labelled(id: 77, protocols: [mail, chat]),
        ] {
            var shuttle = Shuttle(intent)
            try shuttle.run(supporting: [chat], random: &random)
            #expect(shuttle.dialerStep == .ready(chat))
            #expect(Array(shuttle.dialerInput) == [0xd0, 0xd1])
            #expect(shuttle.listenerInput.isEmpty)
        }
    }

    @Test(arguments: 0..<50) func migratesAreJudged(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for dialect in [MigrationDialect.draft, .proofOfConcept] {
            for accept in [true, false] {
                var shuttle = Shuttle(.target(id: .max, from: 1 << 63), dialect: dialect)
                try shuttle.run(supporting: [], accept: accept, random: &random)
                #expect(shuttle.dialerStep == .answer(accepted: accept))
                #expect(shuttle.listenerStep == .migrate(id: .max, from: 1 << 63, dialect: dialect, send: []))
                #expect(shuttle.dialerInput.isEmpty && shuttle.listenerInput.isEmpty)
            }
        }
    }

    /// SM-L1: a peer without migration answers `na`, and the opener gets to read it, whatever came behind.
    @Test(arguments: 0..<50) func aPeerWithoutMigrationRefusesTheLabelAudibly(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var shuttle = Shuttle(
            .labelled(id: 3, protocols: [chat]), behind: random.bytes(20), migrationEnabled: false)
        #expect(throws: StreamNegotiationError.negotiation(.missingLineFeed)) {
            try shuttle.run(supporting: [chat], random: &random)
            // The error may wait for the call behind the refusal.
            _ = try shuttle.listener.receive(&shuttle.listenerInput) { $0 == chat }
        }
        var answers = (Array(shuttle.dialerInput) + shuttle.toDialer)[...]
        if shuttle.dialerError == nil {
            #expect(throws: StreamNegotiationError.migrationRefused) { try shuttle.dialer.receive(&answers) }
        } else {
            #expect(shuttle.dialerError == .migrationRefused)
        }
    }

    @Test func randomBytesNeverTrap() {
        var random = SplitMix64(seed: 9)
        let good = [
            headerBytes, migrationBytes, migrationSlashBytes, hex("040a020800"), hex("06120408021000"), chatBytes,
        ]
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for piece in good where random.next() % 3 > 0 { bytes += piece }
            bytes += random.bytes(Int(random.next() % 8))
            for _ in 0..<(random.next() % 3) where !bytes.isEmpty {
                bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(truncatingIfNeeded: random.next())
            }
            var inbound = InboundStreamNegotiation()
            var input = bytes[...]
            _ = try? inbound.receive(&input) { $0 == chat }
            for intent in [
                OutboundStreamNegotiation.Intent.labelled(id: 1, protocols: [chat, mail]), .target(id: 1, from: 2),
            ] {
                var outbound = OutboundStreamNegotiation(intent)
                _ = outbound.start()
                var answers = bytes[...]
                _ = try? outbound.receive(&answers)
            }
        }
    }
}
