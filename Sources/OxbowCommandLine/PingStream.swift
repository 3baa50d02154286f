import NIOCore
package import Oxbow
import OxbowCrypto
import OxbowProtocols

/// A stream for pings: one after the other on the same stream, so that none pays for a negotiation.
package struct PingStream {
    package let stream: OxbowStream
    private var client: PingClient
    private let timeout: Duration
    private let origin = ContinuousClock.now
    private var waiting: ArraySlice<UInt8> = []

    package init(_ stream: OxbowStream, timeout: Duration) {
        self.stream = stream
        self.timeout = timeout
        client = PingClient(timeout: timeout)
    }

    package static func open(to peer: Peer, on host: OxbowHost, timeout: Duration = .seconds(10)) async throws
        -> PingStream
    {
        PingStream(
            try await host.open(to: peer.id, [Ping.protocolID], isMigratable: false, allowsLimited: true),
            timeout: timeout)
    }

    private var now: Instant {
        .zero + (ContinuousClock.now - origin)
    }

    /// Sends a ping and waits for its echo. After an error the stream is of no use.
    package mutating func ping() async throws -> Duration {
        let payload = try SecureRandom.bytes(Ping.payloadLength)
        try await stream.outbound.write(client.start(payload: payload, at: now))
        let alarm = Task { [stream, timeout] in
            try await Task.sleep(for: timeout)
            stream.reset()
        }
        defer { alarm.cancel() }
        do {
            return try await echo()
        } catch {
            stream.reset()
            try client.checkTimeout(at: now)
            throw error
        }
    }

    private mutating func echo() async throws -> Duration {
        var iterator = stream.inbound.makeAsyncIterator()
        while let bytes = try await iterator.next() {
            waiting += bytes.readableBytesView
            if case .roundTrip(let time) = try client.receive(&waiting, at: now) { return time }
        }
        try client.receiveEnd()
        throw PingError.endedEarly
    }
}
