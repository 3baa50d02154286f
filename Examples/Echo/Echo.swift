import Oxbow

/// Two hosts in one process: one echoes, the other talks to it, and between two lines the stream moves to another
/// connection.
@main
struct Echo {
    static let protocolID: ProtocolID = "/echo/1.0.0"

    static func main() async throws {
        try await withHost(identity: .generate(.ed25519)) { server in
            server.handle(protocolID) { stream in
                for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
            }
            let addresses = try await server.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
            try await talk(to: server.id, at: addresses)
        }
    }

    static func talk(to server: PeerID, at addresses: [Multiaddr]) async throws {
        try await withHost(identity: .generate(.ed25519)) { client in
            let peer = try await client.connect(to: server, at: addresses)
            try await peer.withStream([protocolID]) { stream in
                try await say("hello", on: stream)
                let second = try await client.connectAgain(to: server, at: addresses)
                let record = try await peer.migrate(stream, to: second)
                print("moved in \(record.duration)")
                try await say("hello again", on: stream)
            }
        }
    }

    static func say(_ text: String, on stream: OxbowStream) async throws {
        try await stream.outbound.write(text.utf8)
        guard let answer = try await stream.read(exactly: text.utf8.count) else { return }
        let place = stream.connection?.description ?? "nowhere"
        print("\(String(buffer: answer)) (\(place))")
    }
}
