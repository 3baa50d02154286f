import Oxbow
import OxbowCommandLine
import OxbowNIO
import OxbowSecurity
import OxbowUpgrade

/// Who the server of a perf test is. Its clients are told where it is, and not who.
///
/// go-libp2p's server has an Ed25519 key whose seed is 32 zeros, so that its client knows the id. The servers of others
/// have a new key each time. This server takes the known key: then clients of both kinds find what they want.
enum PerfIdentity {
    private static let publicHalf: [UInt8] = [
        0x3B, 0x6A, 0x27, 0xBC, 0xCE, 0xB6, 0xA4, 0x2D, 0x62, 0xA3, 0xA8, 0xD0, 0x2A, 0x6F, 0x0D, 0x73,
        0x65, 0x32, 0x15, 0x77, 0x1D, 0xE2, 0x43, 0xA6, 0x3A, 0xC0, 0x48, 0xA1, 0x8B, 0x59, 0xDA, 0x29,
    ]

    static func key() throws -> PrivateKey {
        // The key message: type Ed25519 (1), then the seed and the public half.
        try PrivateKey(protobuf: [0x08, 0x01, 0x12, 0x40] + [UInt8](repeating: 0, count: 32) + publicHalf)
    }

    /// Finds out who answers at an address: the known id if it is right, and otherwise the one that the handshake proves.
    /// It takes a connection of its own, so that what is measured later is a whole one.
    static func peer(at address: Multiaddr) async throws -> PeerID {
        let known = try key().publicKey.peerID
        return try await withHost(identity: .generate(.ed25519), configuration: .forPerf) { host in
            do {
                return try await host.connect(to: known, at: [address]).id
            } catch let error as DialError {
                guard let actual = error.whoAnswered else { throw error }
                return actual
            }
        }
    }
}

extension DialError {
    /// Who has proved to be at the address instead of the one who was dialled.
    var whoAnswered: PeerID? {
        attempts.lazy.compactMap { attempt in
            guard case .connection(.upgrade(.security(_, .peerIDMismatch(_, let actual)))) = attempt.failure else {
                return nil
            }
            return actual
        }.first
    }
}

extension HostConfiguration {
    /// A host that measures, or is measured: with each security protocol, as the command line names none.
    static var forPerf: HostConfiguration {
        var configuration = HostConfiguration.forTest(.noise)
        configuration.security = [.noise, .tls]
        return configuration
    }
}
