import OxbowCore

/// The dials of one try: every address at once, and again when it is refused, until the try's time is over.
struct HolePunchRound: Hashable, Sendable {
    private struct Target: Hashable, Sendable {
        let address: Multiaddr
        var dials = 1
        /// When it is dialled again; nil while it is being dialled.
        var again: Instant?
        /// Whether its socket has connected.
        var isConnected = false
    }

    let deadline: Instant
    private var hasFailedConnected = false
    private let firstRedial: Duration
    private let dialsPerAddress: Int
    private var targets: [Target]

    /// Every address is to be dialled at once.
    init(_ addresses: [Multiaddr], _ configuration: HolePunchConfiguration, at now: Instant) {
        deadline = now + configuration.punchTimeout
        firstRedial = configuration.firstRedial
        dialsPerAddress = configuration.dialsPerAddress
        targets = addresses.map { Target(address: $0) }
    }

    /// Whether a socket connected and no connection came of it, or none has yet: two servers wait for each other.
    var hasCollided: Bool { hasFailedConnected || targets.contains(where: \.isConnected) }

    /// Whether nothing more can come of it. Refused dials alone don't end it: the peer's own dial may yet get through.
    func isOver(at now: Instant) -> Bool {
        now >= deadline || targets.isEmpty
    }

    var nextEvent: Instant {
        targets.compactMap(\.again).reduce(deadline, min)
    }

    /// A socket connected; its handshake follows.
    mutating func connected(_ address: Multiaddr) {
        guard let index = targets.firstIndex(where: { $0.address == address && $0.again == nil }) else { return }
        targets[index].isConnected = true
    }

    mutating func failed(_ address: Multiaddr, _ failure: HolePunchDialFailure, at now: Instant) {
        guard let index = targets.firstIndex(where: { $0.address == address && $0.again == nil }) else { return }
        switch failure {
        case .collided:
            // Another dial would collide again: it takes a new exchange.
            hasFailedConnected = true
            targets.remove(at: index)
        case .unsupported:
            targets.remove(at: index)
        case .unreachable, .cutOff:
            if failure == .cutOff { hasFailedConnected = true }
            let dials = targets[index].dials
            targets[index].isConnected = false
            targets[index].again =
                dials < dialsPerAddress ? now + firstRedial * (1 << min(dials - 1, 16)) : .distantFuture
        }
    }

    /// The addresses whose turn has come again.
    mutating func due(at now: Instant) -> [Multiaddr] {
        var due: [Multiaddr] = []
        for index in targets.indices {
            guard let again = targets[index].again, again <= now else { continue }
            targets[index].again = nil
            targets[index].dials += 1
            due.append(targets[index].address)
        }
        return due
    }
}
