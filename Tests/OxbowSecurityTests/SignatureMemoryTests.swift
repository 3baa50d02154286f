import OxbowCore
import OxbowCrypto
import Synchronization
import Testing

@testable import OxbowSecurity

@Suite("A memory of signatures")
struct SignatureMemoryTests {
    /// Remembers everything, and counts.
    final class Memory: SignatureMemory {
        let state = Mutex((known: Set<VerifiedSignature>(), hits: 0))

        func contains(_ signature: VerifiedSignature) -> Bool {
            state.withLock { state in
                guard state.known.contains(signature) else { return false }
                state.hits += 1
                return true
            }
        }

        func insert(_ signature: VerifiedSignature) {
            state.withLock { _ = $0.known.insert(signature) }
        }

        var counts: [Int] { state.withLock { [$0.known.count, $0.hits] } }
    }

    private func noise(
        _ role: SecurityRole, _ key: PrivateKey, _ credentials: NoiseCredentials, _ memory: Memory? = nil
    ) throws -> SecureHandshake {
        let configuration = SecurityConfiguration(identity: key, verified: memory)
        return .noise(try NoiseHandshake(role: role, configuration: configuration, credentials: credentials))
    }

    @Test("knows a peer that comes again, as either side", arguments: SecurityRole.each)
    func again(role: SecurityRole) throws {
        let memory = Memory()
        for round in 0..<3 {
            let ours = try noise(role, Identity.alice.key, Identity.alice.credentials, memory)
            let (end, other) = (End(ours), End(try noise(role.other, Identity.bob.key, Identity.bob.credentials)))
            let wire = role == .initiator ? Wire(end, other) : Wire(other, end)
            wire.run()
            #expect(end.peer?.peer == Identity.bob.peer)
            #expect(memory.counts == [1, round])
        }
    }

    @Test("takes nothing for another that is alike")
    func others() throws {
        let memory = Memory()
        let bob = Identity.bob
        var forged = bob.credentials.signature
        forged[10] ^= 1
        let attempts = [
            (bob.credentials, true),
            // A signature that doesn't hold, under a key that is known.
            (
                NoiseCredentials(
                    staticKey: bob.credentials.staticKey, identityKey: bob.key.publicKey.protobuf, signature: forged),
                false
            ),
            // The signature that is known, over a static key that isn't.
            (
                NoiseCredentials(
                    staticKey: try .generate(), identityKey: bob.key.publicKey.protobuf,
                    signature: bob.credentials.signature), false
            ),
            // Another's key with a static key and a signature that are known.
            (
                NoiseCredentials(
                    staticKey: bob.credentials.staticKey, identityKey: Identity.alice.key.publicKey.protobuf,
                    signature: bob.credentials.signature), false
            ),
        ]
        for (credentials, holds) in attempts {
            let end = End(try noise(.responder, Identity.alice.key, Identity.alice.credentials, memory))
            Wire(End(try noise(.initiator, bob.key, credentials)), end).run()
            #expect((end.peer != nil) == holds && (end.error == .badSignature) == !holds)
        }
        #expect(memory.counts == [1, 0], "what doesn't hold isn't remembered")
    }
}
