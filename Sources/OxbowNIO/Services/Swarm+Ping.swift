import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowProtocols

// ping, on the event loop.

extension Swarm {
    func answerPings(_ stream: LoopStream, on connection: ConnectionDriver) {
        var responder = PingResponder()
        var waiting: [UInt8] = []
        stream.start(within: nil) { event in
            switch event {
            case .bytes(let buffer):
                waiting += buffer.readableBytesView
                var input = waiting[...]
                // A peer that sends pings and reads no echo gets no further than the queue has room.
                guard stream.write(responder.receive(&input, room: input.count)) else { return stream.reset() }
                waiting = Array(input)
            case .end:
                stream.close()
            case .failed:
                break
            }
        }
    }

    /// Sends one ping on a connection and waits for its echo.
    package func ping(_ peer: PeerState, on connection: ConnectionDriver) async throws -> Duration {
        let payload = try SecureRandom.bytes(Ping.payloadLength)
        return try await withUnsafeThrowingContinuation { continuation in
            connection.onLoop { [self] connection in
                let stream = openStream(to: peer, for: [Ping.protocolID], on: connection, isMigratable: false)
                ping(LoopStream(stream, on: connection.eventLoop), payload, on: connection) {
                    continuation.resume(with: $0)
                }
            }
        }
    }

    private func ping(
        _ stream: LoopStream, _ payload: [UInt8], on connection: ConnectionDriver,
        completion: @escaping (Result<Duration, any Error>) -> Void
    ) {
        var client = PingClient()
        var waiting: [UInt8] = []
        stream.write(client.start(payload: payload, at: connection.now))
        stream.start(within: .seconds(10)) { event in
            do {
                switch event {
                case .bytes(let buffer):
                    waiting += buffer.readableBytesView
                    var input = waiting[...]
                    guard case .roundTrip(let time) = try client.receive(&input, at: connection.now) else {
                        waiting = Array(input)
                        return
                    }
                    stream.finish()
                    completion(.success(time))
                case .end:
                    try client.receiveEnd()
                case .failed(let error):
                    completion(.failure(error))
                }
            } catch {
                stream.reset()
                completion(.failure(error))
            }
        }
    }
}
