import OxbowCore
import OxbowSwarm

extension FuzzTarget {
    static let books = [
        FuzzTarget(
            "address-book", "what is learned of peers, connections with them, and time", maximumLength: 256,
            seeds: { [scheduleSeed(3), scheduleSeed(5), scheduleSeed(7)] }, addressBook),
        FuzzTarget(
            "observed-addresses", "where peers see this host, and what follows from it", maximumLength: 256,
            seeds: { [scheduleSeed(3), scheduleSeed(5)] }, observedAddresses),
        FuzzTarget(
            "reachability", "answers about this host's addresses, and time", maximumLength: 256,
            seeds: { [scheduleSeed(3), scheduleSeed(9)] }, reachability),
    ]

    private static func addressBook(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var scene = AddressBookScene()
        while !input.isEmpty { try scene.act(&input) }
        return .accepted
    }

    private static func observedAddresses(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var configuration = ObservedAddresses.Configuration()
        (configuration.requiredObservers, configuration.maximumObservations) = (2, 6)
        configuration.maximumPerObserver = 3
        var book = ObservedAddresses(configuration)
        var now = Instant.zero
        while !input.isEmpty {
            switch input.int(below: 5) {
            case 0: book.setListenAddresses((0..<input.int(below: 5)).map { _ in FuzzAddresses.any(&input) })
            case 1, 2:
                guard let observer = NetworkGroup(FuzzAddresses.any(&input)) else { break }
                book.record(
                    ObservedAddresses.Observation(
                        connection: UInt64(input.int(below: 10)),
                        localAddress: input.bool() ? FuzzAddresses.any(&input) : nil, observer: observer,
                        observed: FuzzAddresses.any(&input), isOutbound: input.bool()))
            case 3: book.connectionClosed(UInt64(input.int(below: 10)), at: now)
            default:
                if input.bool(), let next = book.nextExpiry { now = max(now, next) }
                now = now + .seconds(input.int(below: 2_000))
                book.expire(at: now)
                if let next = book.nextExpiry { try require(next > now, "what has had its time is gone") }
            }
            try require(book.count <= configuration.maximumObservations, "observations are bounded")
            let (confirmed, guesses) = (book.confirmed, book.guesses())
            try require(guesses.count <= 16 && Set(guesses).count == guesses.count, "guesses are few, each one once")
            try require(guesses.starts(with: confirmed.prefix(16)), "what is confirmed is the best guess")
            _ = (book.mapping, book.samePort)
        }
        return .accepted
    }

    private static func reachability(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var tracker = ReachabilityTracker()
        var now = Instant.zero
        var known: [Multiaddr: Reachability] = [:]
        while !input.isEmpty {
            switch input.int(below: 6) {
            case 0:
                let addresses = (0..<input.int(below: 5)).map { _ in FuzzAddresses.any(&input) }
                let gone = tracker.setAddresses(addresses, at: now)
                try require(gone.allSatisfy { known[$0] == .reachable }, "what is gone was reachable")
                known = known.filter { addresses.contains($0.key) }
            case 1, 2, 3:
                let address = FuzzAddresses.any(&input)
                let witness = input.bool() ? NetworkGroup(FuzzAddresses.any(&input)) : nil
                let change = tracker.record(address, isReachable: input.bool(), witness: witness, at: now)
                guard let change else { break }
                try require(change.address == address && known[address] != change.verdict, "a change is one")
                known[address] = change.verdict
            case 4: if input.bool() { tracker.recordFailure(at: now) } else { tracker.recheck(at: now) }
            default:
                if input.bool(), let next = tracker.nextProbe { now = max(now, next) }
                now = now + .seconds(input.int(below: 900))
            }
            for (address, verdict) in known {
                try requireEqual(tracker.verdict(of: address), verdict, "verdicts are told")
            }
            let due = tracker.addressesToProbe(limit: 3, at: now)
            try require(due.count <= 3, "a question has its limit")
            guard let next = tracker.nextProbe else { continue }
            try requireEqual(due.isEmpty, next > now, "there is something to ask about when it is time")
        }
        return .accepted
    }
}

/// The book beside what it must keep whatever strangers say.
private struct AddressBookScene {
    private static let peers: [PeerID] =
        FuzzKeys.peerIDs + [FuzzKeys.hashed]
        + (UInt8(0)..<4).compactMap { try? PeerID(multihash: [0, 4, $0, 1, 2, 3]) }
    private static let configuration: AddressBookConfiguration = {
        var configuration = AddressBookConfiguration()
        (configuration.peers, configuration.unprovenPeers, configuration.addressesPerPeer) = (4, 2, 3)
        (configuration.protocolsPerPeer, configuration.maximumEnvelope) = (2, 8)
        return configuration
    }()

    private var book = AddressBook(configuration: configuration)
    private var now = Instant.zero
    private var connections: [PeerID: Int] = [:]
    /// What the application has listed and not taken back.
    private var named: Set<PeerID> = []

    mutating func act(_ input: inout FuzzInput) throws(FuzzFailure) {
        let peer = input.choice(Self.peers)
        switch input.int(below: 10) {
        case 0, 1:
            let origin = input.choice(AddressOrigin.allCases.dropFirst())
            let lifetime: Duration? = input.bool() ? .seconds(input.int(below: 8) * 1_000) : nil
            book.add(addresses(&input), of: peer, origin: origin, lifetime: lifetime, at: now)
        case 2:
            let isKept = book.add([FuzzAddresses.all[0]], of: peer, origin: .configuration, at: now)
            if isKept { named.insert(peer) }
        case 3:
            let description = PeerDescription(protocols: ["/a", "/b", "/c"], agent: "fuzz")
            book.identified(peer, addresses: addresses(&input), description, at: now)
        case 4: try certify(peer, &input)
        case 5:
            book.connected(peer, at: now)
            connections[peer, default: 0] += 1
        case 6:
            book.disconnected(peer, at: now)
            connections[peer] = max(0, connections[peer, default: 0] - 1)
        case 7:
            let address = FuzzAddresses.any(&input)
            if input.bool() {
                book.succeeded(address, of: peer, at: now)
            } else {
                book.failed(address, of: peer, at: now)
            }
        case 8:
            if input.bool() {
                book.forget(peer)
                named.remove(peer)
            } else if let known = book.peer(peer, at: now) {
                book.restore(known, at: now)
            }
        default:
            now = now + .seconds(input.int(below: 6_000))
            try require(book.takeChanges().count <= 8, "changes are bounded")
        }
        try check()
    }

    private func addresses(_ input: inout FuzzInput) -> [Multiaddr] {
        (0..<input.int(below: 6)).map { _ in FuzzAddresses.any(&input) }
    }

    private mutating func certify(_ peer: PeerID, _ input: inout FuzzInput) throws(FuzzFailure) {
        let source = input.bool() ? peer : input.choice(Self.peers)
        let record = CertifiedRecord(
            peer: peer, sequence: UInt64(input.int(below: 6)), addresses: addresses(&input),
            envelope: [UInt8](repeating: 0, count: input.int(below: 10)))
        let before = book.peer(peer, at: now)?.record
        let verdict = book.certify(record, from: source, at: now)
        guard verdict == .accepted else {
            return try requireEqual(
                book.peer(peer, at: now)?.record, before, "a record that is refused changes nothing")
        }
        try require(source == peer && connections[peer, default: 0] > 0, "records are taken from their connected peer")
        try require(record.envelope.count <= Self.configuration.maximumEnvelope, "envelopes are bounded")
        try require(
            before.map { $0.sequence < record.sequence || $0 == record } ?? true,
            "a record is replaced by a later one only")
    }

    private func check() throws(FuzzFailure) {
        let protected = Set(connections.filter { $0.value > 0 }.keys).union(named)
        let bound = Self.configuration.peers
        try require(book.count <= bound + protected.count, "\(book.count) peers are known")
        for peer in Self.peers {
            let isConnected = connections[peer, default: 0] > 0
            guard let known = book.peer(peer, at: now) else {
                try require(!protected.contains(peer), "what is protected is never pushed out")
                continue
            }
            try requireEqual(known.isConnected, isConnected, "connections are counted")
            try require(known.addresses.count <= Self.configuration.addressesPerPeer, "addresses are bounded")
            try require(
                known.description.protocols.count <= Self.configuration.protocolsPerPeer, "protocols are bounded")
            let names = known.addresses.compactMap(\.address.peerID)
            try require(names.isEmpty, "no address carries a peer's id")
            if named.contains(peer) {
                try require(
                    known.addresses.contains { $0.origin == .configuration }, "what the application named stays")
            }
        }
    }
}
