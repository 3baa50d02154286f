import OxbowCore
import OxbowProtocols
import OxbowWire

extension FuzzTarget {
    static let negotiations = [
        FuzzTarget(
            "multistream-dialer", "what a dialer is answered", maximumLength: 512,
            seeds: { [[0] + header + name("/a"), [1] + header + name("na") + name("/b"), [2] + header] },
            multistreamDialer),
        FuzzTarget(
            "multistream-listener", "what a listener is proposed", maximumLength: 512,
            seeds: { [[0] + header + name("/a"), [1] + header + name("/x") + name("ls") + name("/b") + [1, 2]] },
            multistreamListener),
        FuzzTarget(
            "stream-outbound", "the answers to a new stream, plain, labelled or the target of a migration",
            maximumLength: 512, seeds: outboundSeeds, outboundStream),
        FuzzTarget(
            "stream-inbound", "the opening of a new stream, in either dialect", maximumLength: 512,
            seeds: inboundSeeds, inboundStream),
        FuzzTarget(
            "stream-pair", "two negotiations of one stream, whose bytes arrive as the input says", maximumLength: 256,
            seeds: { (0..<8).map { kind in [UInt8(kind)] + (0..<60).map { UInt8(truncatingIfNeeded: $0 &* 37) } } },
            streamPair),
    ]

    private static let a: ProtocolID = "/a"
    private static let b: ProtocolID = "/b"
    private static let header = name("/multistream/1.0.0")

    private static func name(_ text: String) -> [UInt8] {
        LengthDelimited.encode(Array(text.utf8) + [0x0a])
    }

    // MARK: multistream-select

    /// What a negotiation sends next, and what it came to, if it did.
    private enum Step {
        case more([UInt8])
        case done(String, [UInt8] = [])
    }

    /// Feeds a negotiation, which `make` begins anew: what it sends before anything comes, and its steps.
    private static func negotiate<Failure: Error>(
        _ bytes: [UInt8], outputLimit: (_ count: Int) -> Int,
        _ make: () -> (first: [UInt8], step: (inout ArraySlice<UInt8>) throws(Failure) -> Step)
    ) throws(FuzzFailure) -> Verdict {
        let transcript = try feedInPieces(bytes, outputLimit: outputLimit) {
            var (first, step) = make()
            return { input, transcript in
                transcript.sent += first
                first = []
                do throws(Failure) {
                    switch try step(&input) {
                    case .more(let send):
                        transcript.sent += send
                        return !send.isEmpty
                    case .done(let result, let send):
                        transcript.sent += send
                        transcript.finish(result)
                    }
                } catch { transcript.fail(error) }
                return false
            }
        }
        return transcript.end != nil && !transcript.hasFailed ? .accepted : .refused
    }

    private static func multistreamDialer(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let isLazy = input.bool()
        return try negotiate(input.rest(), outputLimit: { _ in 64 }) {
            var dialer = MultistreamDialer(protocols: isLazy ? [a] : [a, b], mode: isLazy ? .lazy : .sequential)
            let first = dialer.start()
            return (
                first,
                { input throws(MultistreamError) in
                    switch try dialer.receive(&input) {
                    case .needMore(let send): .more(send)
                    case .selected(let id): .done("\(id)")
                    }
                }
            )
        }
    }

    private static func multistreamListener(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let isEager = input.bool()
        let limits = MultistreamLimits(maximumMessageLength: 64, maximumProposals: 5)
        return try negotiate(input.rest(), outputLimit: { 2 * $0 + 32 }) {
            var listener = MultistreamListener(limits: limits, eager: isEager)
            let first = listener.start()
            return (
                first,
                { input throws(MultistreamError) in
                    switch try listener.receive(&input, isSupported: { $0 == a || $0 == b }) {
                    case .needMore(let send): .more(send)
                    case .selected(let id, let send): .done("\(id)", send)
                    }
                }
            )
        }
    }

    // MARK: New streams

    private static func intent(_ input: inout FuzzInput) -> (OutboundStreamNegotiation.Intent, MigrationDialect) {
        let kind = input.byte()
        let dialect: MigrationDialect = kind & 1 == 0 ? .draft : .proofOfConcept
        switch kind / 2 % 4 {
        case 0: return (.plain(protocols: [a]), dialect)
        case 1: return (.labelled(id: 6, protocols: [a]), dialect)
        case 2: return (.labelled(id: .max, protocols: [b, a]), dialect)
        default: return (.target(id: 8, from: 6), dialect)
        }
    }

    private static func outboundStream(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let (intent, dialect) = intent(&input)
        return try negotiate(input.rest(), outputLimit: { _ in 160 }) {
            var negotiation = OutboundStreamNegotiation(intent, dialect: dialect)
            let first = negotiation.start()
            return (
                first,
                { input throws(StreamNegotiationError) in
                    switch try negotiation.receive(&input) {
                    case .needMore(let send): .more(send)
                    case let step: .done("\(step)")
                    }
                }
            )
        }
    }

    private static func inboundStream(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let options = input.byte()
        let limits = MultistreamLimits(maximumMessageLength: 64, maximumProposals: 5)
        return try negotiate(input.rest(), outputLimit: { 2 * $0 + 32 }) {
            var negotiation = InboundStreamNegotiation(
                migrationEnabled: options & 1 == 0, limits: limits, eager: options & 2 != 0)
            let first = negotiation.start()
            return (
                first,
                { input throws(StreamNegotiationError) in
                    switch try negotiation.receive(&input, isSupported: { $0 == a || $0 == b }) {
                    case .needMore(let send): .more(send)
                    case .ready(let id, let label, let send):
                        .done("\(id) \(label.map(String.init) ?? "")", send)
                    case .migrate(let id, let from, let dialect, let send):
                        .done(
                            "\(id) from \(from), \(dialect)", send + negotiation.answer(accept: options & 4 == 0))
                    }
                }
            )
        }
    }

    private static func outboundSeeds() -> [[UInt8]] {
        let draft = name("/libp2p/stream-migration")
        let concept = name("/libp2p/stream-migration/")
        return [
            [0] + header + name("/a") + [1, 2, 3], [2] + header + draft + header + name("/a"),
            [3] + header + concept + header + name("/a"), [4] + header + draft + header + name("na") + name("/a"),
            [6] + header + draft + [2, 0x1a, 0], [7] + header + concept + [2, 8, 1], [7] + header + concept + [0],
            [6] + header + draft + [4, 0x1a, 2, 8, 1], [2] + header + name("na"),
        ]
    }

    private static func inboundSeeds() -> [[UInt8]] {
        let draft = name("/libp2p/stream-migration")
        let concept = name("/libp2p/stream-migration/")
        let label = StreamMigrationMessage.label(id: 9).encodedDelimited()
        let migrate = StreamMigrationMessage.migrate(id: 9, from: 8).encodedDelimited()
        return [
            [0] + header + name("/a") + [1, 2, 3], [0] + header + draft + label + header + name("/b") + [7],
            [2] + header + concept + label + header + name("/x") + name("/b"), [0] + header + draft + migrate + [1, 2],
            [4] + header + concept + migrate, [1] + header + draft + name("/a"),
            [0] + header + draft + label + header + draft,
        ]
    }
}
