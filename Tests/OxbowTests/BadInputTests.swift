import NIOPosix
import Oxbow
import OxbowProtocols
import OxbowSecurity
import OxbowTesting
import OxbowUpgrade
import Testing

/// Peers on real sockets that stall, lie, flood or vanish: clear typed errors, and nothing left behind.
@Suite struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let stop: StallingPeer.Stop
        let then: StallingPeer.Then
        var testDescription: String {
            guard case .say(let bytes) = then else { return "\(stop), \(then)" }
            return "\(stop), \(bytes.count) bytes from \(bytes.prefix(3))"
        }
    }

    static let garbage = [UInt8]("GET / HTTP/1.1\r\nHost: example.org\r\n".utf8) + [UInt8](repeating: 0x2F, count: 200)
    /// A message of multistream-select that promises a mebibyte.
    static let oversize: [UInt8] = [0x80, 0x80, 0x40] + [UInt8](repeating: 0x2F, count: 2_000)
    /// A Noise message of the longest length that two bytes can say.
    static let oversizeNoise: [UInt8] = [0xFF, 0xFF] + [UInt8](repeating: 0x2F, count: 2_000)
    /// A TLS record that promises more than the protocol allows.
    static let oversizeTLS: [UInt8] = [0x16, 0x03, 0x03, 0xFF, 0xFF] + [UInt8](repeating: 0x2F, count: 2_000)

    private static func withHost(
        handshakeTimeout: Duration = .seconds(60), _ configure: (inout HostConfiguration) -> Void = { _ in },
        _ body: (Host) async throws -> Void
    ) async throws {
        var configuration = HostConfiguration()
        configuration.swarm.connection.handshakeTimeout = handshakeTimeout
        configure(&configuration)
        try await Oxbow.withHost(identity: FixedKeys.all[0], configuration: configuration) { host in
            try await body(host)
            #expect(host.census.isZero, "\(host.census)")
        }
    }

    /// What the host says of a peer that it dials.
    private static func dialError(_ host: Host, _ stop: StallingPeer.Stop, _ then: StallingPeer.Then) async throws
        -> DialError
    {
        let (address, channel) = try await StallingPeer.listen(stop, then)
        defer { channel.close(promise: nil) }
        do {
            try await host.connect(to: FixedKeys.all[7].publicKey.peerID, at: [address])
        } catch { return error }
        throw Unexpected("the dial succeeded")
    }

    /// What the host says of a peer that dials it.
    private static func inboundError(
        _ host: Host, _ stop: StallingPeer.Stop, _ then: StallingPeer.Then
    ) async throws -> ConnectionError {
        let address = try #require(try await host.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")).first)
        let events = host.events()
        let channel = try await StallingPeer.connect(to: address, stop, then)
        defer { channel.close(promise: nil) }
        for await case .inboundFailed(_, let error) in events { return error }
        throw Unexpected("no event")
    }

    private static func connectionError(_ error: DialError) throws -> ConnectionError {
        #expect(error.reason == .allFailed && error.attempts.count == 1)
        guard case .connection(let cause)? = error.attempts.first?.failure else { throw Unexpected("\(error)") }
        #expect("\(error)".contains("could not connect to") && "\(error)".contains("/ip4/127.0.0.1/tcp/"))
        return cause
    }

    // MARK: Silence

    @Test(
        "A peer that stalls in a phase of the handshake: the deadline names the phase",
        arguments: StallingPeer.Stop.allCases)
    func stalls(_ stop: StallingPeer.Stop) async throws {
        let security = { (configuration: inout HostConfiguration) in
            configuration.security = stop == .beforeTLS ? [.tls] : [.noise]
        }
        for isDialer in [true, false] {
            // On a busy machine a short deadline may find an earlier phase: then a longer one is due.
            var (limit, error) = (Duration.milliseconds(100), ConnectionError.handshakeTimedOut(.securityNegotiation))
            repeat {
                try await Self.withHost(handshakeTimeout: limit, security) { host in
                    error =
                        isDialer
                        ? try Self.connectionError(try await Self.dialError(host, stop, .silence))
                        : try await Self.inboundError(host, stop, .silence)
                }
                limit *= 4
            } while error != .handshakeTimedOut(stop.phase) && limit < .seconds(30)
            #expect(error == .handshakeTimedOut(stop.phase))
            #expect("\(error)".contains("did not finish the handshake in time"))
            #expect("\(error)".contains("\(stop.phase)"))
        }
    }

    // MARK: Garbage

    static let wrongWords: [Case] = [
        Case(stop: .atOnce, then: .say(garbage)),
        Case(stop: .atOnce, then: .say(oversize)),
        Case(stop: .beforeNoise, then: .say(garbage)),
        Case(stop: .beforeNoise, then: .say(oversizeNoise)),
        Case(stop: .beforeTLS, then: .say(garbage)),
        Case(stop: .beforeTLS, then: .say(oversizeTLS)),
        Case(stop: .beforeMuxer, then: .say(garbage)),
        Case(stop: .beforeMuxer, then: .say(oversize)),
    ]

    /// What of the handshake failed, and that it says so in words.
    private static func check(_ error: ConnectionError, _ wrong: Case) {
        let isNegotiation = wrong.stop == .atOnce || wrong.stop == .beforeMuxer
        switch error {
        case .upgrade(.negotiation(let phase, let cause)):
            #expect(isNegotiation && phase == wrong.stop.phase)
            #expect("\(error)".contains("multistream-select"))
            if wrong.then == .say(oversize) {
                #expect(cause == .messageTooLong(length: 1 << 20, limit: 1_024))
            }
        case .upgrade(.security(let phase, let cause)):
            #expect(!isNegotiation && phase == wrong.stop.phase)
            if wrong.then == .say(oversizeNoise), case .recordTooLong(let length, _) = cause {
                #expect(length == 65_535)
            }
        default: Issue.record("\(wrong.testDescription): \(error)")
        }
        #expect("\(error)".contains("\(wrong.stop.phase) failed"))
    }

    @Test("Garbage and oversize in each phase: an error that names the phase and what was wrong", arguments: wrongWords)
    func garbageAndOversize(_ wrong: Case) async throws {
        // The 60 s of the deadline are never waited for: what is wrong is found at once.
        let security = { (configuration: inout HostConfiguration) in
            configuration.security = wrong.stop == .beforeTLS ? [.tls] : [.noise]
        }
        try await Self.withHost(security) { host in
            Self.check(try Self.connectionError(try await Self.dialError(host, wrong.stop, wrong.then)), wrong)
        }
        try await Self.withHost(security) { host in
            Self.check(try await Self.inboundError(host, wrong.stop, wrong.then), wrong)
        }
    }

    // MARK: Vanishing

    @Test("A peer that hangs up in a phase of the handshake", arguments: StallingPeer.Stop.allCases)
    func hangsUp(_ stop: StallingPeer.Stop) async throws {
        func check(_ error: ConnectionError) {
            // A socket with unread bytes is reset by the system rather than ended.
            switch error {
            case .transportEnded: #expect("\(error)".contains("without the multiplexer's goodbye"))
            case .transportFailed: #expect("\(error)".contains("the network failed"))
            default: Issue.record("\(error)")
            }
        }
        let security = { (configuration: inout HostConfiguration) in
            configuration.security = stop == .beforeTLS ? [.tls] : [.noise]
        }
        try await Self.withHost(security) { host in
            check(try Self.connectionError(try await Self.dialError(host, stop, .hangUp)))
        }
        try await Self.withHost(security) { host in
            check(try await Self.inboundError(host, stop, .hangUp))
        }
    }

    @Test("Somebody else at the address: the error names both", arguments: SecurityProtocol.allCases)
    func wrongPeer(_ security: SecurityProtocol) async throws {
        try await Self.withHost {
            $0.security = [security]
        } _: { host in
            var configuration = HostConfiguration()
            configuration.security = [security]
            try await Oxbow.withHost(identity: FixedKeys.all[1], configuration: configuration) { other in
                let listening = try await other.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
                let address = try #require(listening.first?.withoutPeerID)
                let wanted = FixedKeys.all[2].publicKey.peerID
                let error = await #expect(throws: DialError.self) { try await host.connect(to: wanted, at: [address]) }
                let cause = try Self.connectionError(try #require(error))
                #expect("\(cause)".contains("\(wanted)") && "\(cause)".contains("\(other.id)"))
                // An address that says itself that it is somebody else's isn't even dialled.
                let named = await #expect(throws: DialError.self) { try await host.connect(to: wanted, at: listening) }
                #expect(named?.attempts.first?.failure == .namesAnotherPeer(other.id))
                try await eventually { other.census.isZero }
            }
        }
    }

    @Test("A peer that dies in the middle of a stream: an error for reader and writer, never an end")
    func diesMidStream() async throws {
        try await HostTests.withPair("/ip4/127.0.0.1/tcp/0") { left, right, addresses in
            let peer = try await left.connect(to: right.id, at: addresses)
            let stream = try await left.open(to: right.id, [HostTests.echo])
            try await stream.outbound.write([1, 2, 3])
            #expect(try await stream.read(exactly: 3) == ByteBuffer(bytes: [1, 2, 3]))
            right.peers.first?.connections.first?.abort()
            let error = await #expect(throws: StreamError.self) { _ = try await stream.read(exactly: 1) }
            guard case .connectionLost(let cause)? = error else { throw Unexpected("\(String(describing: error))") }
            switch cause {
            case .transportEnded, .transportFailed: break
            default: Issue.record("\(cause)")
            }
            #expect("\(error!)".contains("connection was lost"))
            await #expect(throws: StreamError.self) { try await stream.outbound.write([4]) }
            try await eventually { left.census.isZero && right.census.isZero }
            #expect(peer.connections.isEmpty)
        }
    }

    @Test("Half-open connections up to the limit: the next are turned away, and when they are gone peers connect again")
    func halfOpenFlood() async throws {
        var configuration = HostConfiguration()
        configuration.swarm.limits.inboundConnections = 8
        configuration.swarm.connection.handshakeTimeout = .seconds(60)
        try await Oxbow.withHost(identity: FixedKeys.all[0], configuration: configuration) { host in
            let addresses = try await host.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
            let address = try #require(addresses.first)
            let events = host.events()
            var channels: [any Channel] = []
            for _ in 0..<20 { channels.append(try await StallingPeer.connect(to: address, .atOnce, .silence)) }
            var refused = 0
            for await case .refused(let refusal, let count) in events {
                #expect(refusal.scope == .system && refusal.resource == .inboundConnections && refusal.limit == 8)
                refused += count
                if refused == 12 { break }
            }
            #expect(host.census.connections == 8)
            for channel in channels { channel.close(promise: nil) }
            try await eventually { host.census.isZero }
            try await Oxbow.withHost(identity: FixedKeys.all[1]) { other in
                _ = try await other.connect(to: host.id, at: addresses)
            }
            try await eventually { host.census.isZero }
        }
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Waits until `condition` holds; throws when it never does. The limit only ends a test that hangs: on a busy machine a
/// task may wait for many seconds until it is its turn.
func eventually(
    sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) async throws {
    let limit = ContinuousClock.now + .seconds(180)
    while !condition() {
        guard ContinuousClock.now < limit else {
            Issue.record("it never came true", sourceLocation: sourceLocation)
            throw Unexpected("it never came true")
        }
        await Task.yield()
    }
}
