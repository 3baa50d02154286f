import OxbowCommandLine

/// What the parts of a hole-punch test tell each other by Redis.
struct HolePunchBoard: Sendable {
    let redis: RedisClient
    let convention: TestConvention
    let deadline: ContinuousClock.Instant

    /// The relay's address is pushed twice by the older convention: each of the two clients takes one.
    func tellRelay(_ address: String) async throws {
        switch convention {
        case .testPlans:
            for _ in 0..<2 { try await redis.push(address, to: "RELAY_TCP_ADDRESS", until: deadline) }
        case .unified(let key):
            try await redis.set("\(key)_relay_multiaddr", to: address, until: deadline)
        }
    }

    func relay() async throws -> PeerAddress {
        let text =
            switch convention {
            case .testPlans: try await redis.pop("RELAY_TCP_ADDRESS", until: deadline)
            case .unified(let key): try await redis.value(of: "\(key)_relay_multiaddr", until: deadline)
            }
        return try PeerAddress.parse(text)
    }

    func tellListener(_ peer: String) async throws {
        switch convention {
        case .testPlans: try await redis.push(peer, to: "LISTEN_CLIENT_PEER_ID", until: deadline)
        case .unified(let key): try await redis.set("\(key)_listener_peer_id", to: peer, until: deadline)
        }
    }

    func listener() async throws -> String {
        switch convention {
        case .testPlans: try await redis.pop("LISTEN_CLIENT_PEER_ID", until: deadline)
        case .unified(let key): try await redis.value(of: "\(key)_listener_peer_id", until: deadline)
        }
    }
}
