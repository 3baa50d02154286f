import DequeModule
import OxbowCrypto
import Synchronization

/// The newest signatures that a host has verified, for all of its connections.
final class VerifiedSignatures: SignatureMemory {
    /// How many are kept, at about 100 bytes each: two for each peer that is met.
    static let limit = 512

    private struct State {
        var signatures: Set<VerifiedSignature> = []
        var order = Deque<VerifiedSignature>()
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.signatures.count } }

    func contains(_ signature: VerifiedSignature) -> Bool {
        state.withLock { $0.signatures.contains(signature) }
    }

    func insert(_ signature: VerifiedSignature) {
        state.withLock { state in
            guard state.signatures.insert(signature).inserted else { return }
            state.order.append(signature)
            if state.order.count > Self.limit { state.signatures.remove(state.order.removeFirst()) }
        }
    }
}
