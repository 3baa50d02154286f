import OxbowCore
import OxbowMigration
import OxbowProtocols
import OxbowSwarm

extension FuzzTarget {
    static let limits = [
        FuzzTarget(
            "ledger", "connections, streams and memory that are booked and given back", maximumLength: 256,
            seeds: { [scheduleSeed(3), scheduleSeed(5), scheduleSeed(7)] }, ledger),
        FuzzTarget(
            "token-bucket", "a rate limit, beside a count of what it let through", maximumLength: 256,
            seeds: { [[2, 4, 0, 0, 0, 0, 1, 9, 0, 0], scheduleSeed(3)] }, tokenBucket),
        FuzzTarget(
            "label-table", "ids of streams with one peer: given, registered, looked up, finished, and Migrates held",
            maximumLength: 256, seeds: { [scheduleSeed(3), [1] + scheduleSeed(5)] }, labelTable),
    ]

    private static func ledger(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var scene = LedgerScene()
        while !input.isEmpty { try scene.act(&input) }
        try scene.end()
        return scene.hasBooked ? .accepted : .refused
    }

    /// In no stretch of time does it let through more than its burst and what came back meanwhile.
    private static func tokenBucket(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let interval = 1 + input.int(below: 100)
        let burst = 1 + input.int(below: 8)
        var bucket = TokenBucket(interval: .milliseconds(interval), burst: burst)
        var milliseconds = 0
        var taken: [Int] = []
        while !input.isEmpty, taken.count < 64 {
            milliseconds += input.int(below: 3) == 0 ? 0 : input.int(below: 200)
            let now = Instant.zero + .milliseconds(milliseconds)
            if bucket.isFull(at: now) {
                try require(bucket.take(at: now), "a full bucket gives a token")
            } else if !bucket.take(at: now) {
                continue
            }
            taken.append(milliseconds)
            for (index, start) in taken.enumerated() {
                let allowed = burst + (milliseconds - start) / interval
                try require(
                    taken.count - index <= allowed, "\(taken.count - index) tokens within \(milliseconds - start) ms")
            }
        }
        return taken.isEmpty ? .refused : .accepted
    }

    private static func labelTable(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var scene = LabelScene(&input)
        while !input.isEmpty { try scene.act(&input) }
        return .accepted
    }
}

/// The ledger beside a plain list of what is open.
private struct LedgerScene {
    private struct Booked {
        var peer: PeerID?
        var memory = 0
        var connection: UInt64 = 0
        var direction = ResourceDirection.inbound
        var isAssigned = false
    }

    private static let limits: ResourceLimits = {
        var limits = ResourceLimits(memory: 0)
        limits.system = ScopeLimits(inboundConnections: 6, connections: 8, streams: 10, memory: 1_000)
        limits.transient = ScopeLimits(connections: 4, streams: 4)
        limits.peer = ScopeLimits(connections: 3, inboundStreams: 5, streams: 6, memory: 600)
        limits.connection = ScopeLimits(streams: 4, memory: 300)
        limits.stream = ScopeLimits(memory: 100)
        limits.protocol = ScopeLimits(streams: 5)
        limits.allowedPeers = [FuzzKeys.third.peerID]
        limits.allowedAddresses = IPPrefix("203.0.113.0/24").map { [$0] } ?? []
        limits.addresses.ip4 = [AddressLimits.Block(prefixLength: 32, connections: 2, handshakes: 1)]
        (limits.memoryPerConnection, limits.memoryPerStream) = (10, 5)
        return limits
    }()
    private static let protocols: [ProtocolID] = ["/a", "/b"]

    private var ledger = ResourceLedger(limits: limits)
    private var connections: [UInt64: Booked] = [:]
    private var streams: [UInt64: Booked] = [:]
    private var next: UInt64 = 0
    private(set) var hasBooked = false

    mutating func act(_ input: inout FuzzInput) throws(FuzzFailure) {
        switch input.int(below: 9) {
        case 0, 1: openConnection(&input)
        case 2: authenticate(&input)
        case 3, 4: openStream(&input)
        case 5:
            guard let number = pick(streams, &input) else { return }
            guard (try? ledger.assign(stream: number, to: input.choice(Self.protocols))) != nil else { return }
            streams[number]?.isAssigned = true
        case 6: moveMemory(&input)
        case 7:
            guard let number = pick(streams, &input) else { return }
            close(stream: number)
            if input.bool() { ledger.close(stream: number) }
        default:
            guard let number = pick(connections, &input) else { return }
            ledger.close(connection: number)
            connections[number] = nil
        }
        try check()
    }

    private func pick(_ table: [UInt64: Booked], _ input: inout FuzzInput) -> UInt64? {
        table.isEmpty ? nil : input.choice(table.keys.sorted())
    }

    private mutating func openConnection(_ input: inout FuzzInput) {
        let direction: ResourceDirection = input.bool() ? .inbound : .outbound
        let address = IPPrefix(FuzzAddresses.any(&input).host)
        next += 1
        guard (try? ledger.open(connection: next, direction, from: address)) != nil else { return }
        connections[next] = Booked(memory: Self.limits.memoryPerConnection, direction: direction)
        hasBooked = true
    }

    private mutating func authenticate(_ input: inout FuzzInput) {
        let waiting = connections.filter { $0.value.peer == nil }
        guard let number = pick(waiting, &input) else { return }
        let peer = input.choice(FuzzKeys.peerIDs)
        guard (try? ledger.authenticated(connection: number, as: peer)) != nil else { return }
        connections[number]?.peer = peer
    }

    private mutating func openStream(_ input: inout FuzzInput) {
        let standing = connections.filter { $0.value.peer != nil }
        guard let connection = pick(standing, &input) else { return }
        let direction: ResourceDirection = input.bool() ? .inbound : .outbound
        let protocolID = input.bool() ? input.choice(Self.protocols) : nil
        next += 1
        guard (try? ledger.open(stream: next, direction, on: connection, for: protocolID)) != nil else { return }
        streams[next] = Booked(
            peer: connections[connection]?.peer, memory: Self.limits.memoryPerStream, connection: connection,
            direction: direction, isAssigned: protocolID != nil)
    }

    private mutating func moveMemory(_ input: inout FuzzInput) {
        let bytes = input.int(below: 120)
        let isRelease = input.bool()
        if input.bool() {
            let standing = connections.filter { $0.value.peer != nil }
            guard let number = pick(standing, &input), let booked = connections[number] else { return }
            if isRelease {
                let back = min(bytes, booked.memory - Self.limits.memoryPerConnection)
                ledger.release(memory: back, connection: number)
                connections[number]?.memory -= back
            } else if (try? ledger.reserve(memory: bytes, connection: number)) != nil {
                connections[number]?.memory += bytes
            }
        } else {
            guard let number = pick(streams, &input), let booked = streams[number] else { return }
            if isRelease {
                let back = min(bytes, booked.memory - Self.limits.memoryPerStream)
                ledger.release(memory: back, stream: number)
                streams[number]?.memory -= back
            } else if (try? ledger.reserve(memory: bytes, stream: number)) != nil {
                streams[number]?.memory += bytes
            }
        }
    }

    private mutating func close(stream number: UInt64) {
        ledger.close(stream: number)
        streams[number] = nil
    }

    private func check() throws(FuzzFailure) {
        try requireEqual(ledger.connectionCount, connections.count, "connections are counted")
        try requireEqual(ledger.streamCount, streams.count, "streams are counted")
        let system = ledger.used(.system)
        let allowed = ledger.used(.allowlisted)
        try requireEqual(system.connections + allowed.connections, connections.count, "each connection is booked")
        try requireEqual(system.streams + allowed.streams, streams.count, "each stream is booked")
        let memory = connections.values.reduce(0) { $0 + $1.memory } + streams.values.reduce(0) { $0 + $1.memory }
        try requireEqual(system.memory + allowed.memory, memory, "memory is booked")
        for resource in Resource.allCases {
            try require(system[resource] <= Self.limits.system[resource], "\(resource) of the system is bounded")
        }
        for peer in FuzzKeys.peerIDs {
            let used = ledger.used(.peer(peer))
            try requireEqual(used.streams, streams.values.count { $0.peer == peer }, "a peer's streams are booked")
            for resource in Resource.allCases {
                try require(used[resource] <= Self.limits.peer[resource], "\(resource) of a peer is bounded")
            }
        }
        let waiting = streams.values.count { !$0.isAssigned }
        try requireEqual(ledger.used(.transient).streams, waiting, "streams without a protocol are transient")
    }

    /// Everything is given back: no scope is left.
    mutating func end() throws(FuzzFailure) {
        // A stream may outlive its connection in the books.
        for number in connections.keys.sorted() { ledger.close(connection: number) }
        for number in streams.keys.sorted() { ledger.close(stream: number) }
        try requireEqual(ledger.scopeCount, 0, "a scope is left when nothing is open")
    }
}

/// A table of labels beside sets of what was given and ended.
private struct LabelScene {
    private static let configuration: MigrationConfiguration = {
        var configuration = MigrationConfiguration()
        (configuration.maximumStreams, configuration.maximumHeld) = (5, 3)
        (configuration.maximumConcurrent, configuration.maximumRemembered) = (2, 3)
        return configuration
    }()

    private let isLower: Bool
    private var table: LabelTable
    private var live: [UInt64: StreamKey] = [:]
    private var finished: [UInt64] = []
    private var given: Set<UInt64> = []
    private var held: Set<UInt64> = []
    private var migrations = 0
    private var tickets: UInt64 = 0

    init(_ input: inout FuzzInput) {
        isLower = input.bool()
        table = LabelTable(isLowerPeer: isLower, start: input.uint64(), configuration: Self.configuration)
    }

    mutating func act(_ input: inout FuzzInput) throws(FuzzFailure) {
        let key = StreamKey(rawValue: UInt64(input.byte()))
        switch input.int(below: 8) {
        case 0: try assign(to: key)
        case 1, 2: try register(id(&input), for: key)
        case 3:
            let id = id(&input)
            table.finish(id)
            if live.removeValue(forKey: id) != nil, !finished.contains(id) {
                finished.append(id)
                if finished.count > Self.configuration.maximumRemembered { finished.removeFirst() }
            }
        case 4:
            let id = id(&input)
            table.forget(id)
            live[id] = nil
        case 5:
            let begins = table.beginMigration()
            try requireEqual(
                begins, migrations < Self.configuration.maximumConcurrent, "migrations are bounded (SM-F10)")
            migrations += begins ? 1 : 0
        case 6:
            guard migrations > 0 else { return }
            table.endMigration()
            migrations -= 1
        default: try hold(id(&input), &input)
        }
        try check()
    }

    /// One that was used before, or any.
    private func id(_ input: inout FuzzInput) -> UInt64 {
        let known = (Array(live.keys) + finished).sorted()
        guard input.bool(), !known.isEmpty else { return UInt64(input.int(below: 12)) }
        return input.choice(known)
    }

    private mutating func assign(to key: StreamKey) throws(FuzzFailure) {
        let id: UInt64
        do { id = try table.assign(to: key) } catch {
            return try require(live.count >= Self.configuration.maximumStreams, "an id is refused for want of room")
        }
        try require((id & 1 == 0) == isLower && id < 1 << 41, "own ids have the own parity (SM-L2)")
        try require(given.insert(id).inserted && live[id] == nil, "no id is given twice (SM-L2)")
        live[id] = key
    }

    private mutating func register(_ id: UInt64, for key: StreamKey) throws(FuzzFailure) {
        let wanted: LabelVerdict =
            live[id] != nil
            ? .duplicate
            : (id & 1 == 0) == isLower
                ? .wrongParity : live.count >= Self.configuration.maximumStreams ? .full : .registered
        try requireEqual(table.register(id, for: key), wanted, "an id is judged (SM-L4, SM-F10)")
        if wanted == .registered { live[id] = key }
    }

    private mutating func hold(_ from: UInt64, _ input: inout FuzzInput) throws(FuzzFailure) {
        guard input.bool() else {
            let due = table.release { $0.from == from }
            for migrate in due { try require(held.remove(migrate.ticket) != nil, "what is released was held, once") }
            return
        }
        tickets += 1
        let deadline = input.bool() ? Instant(nanoseconds: Int64(input.byte())) : nil
        let isHeld = table.hold(HeldMigrate(ticket: tickets, id: 1, from: from, deadline: deadline))
        try requireEqual(isHeld, held.count < Self.configuration.maximumHeld, "held Migrates are bounded (SM-F10)")
        if isHeld { held.insert(tickets) }
        if input.bool() {
            _ = table.limitHeld(tickets, until: Instant(nanoseconds: 5))
        } else {
            table.unlimitHeld(tickets)
        }
    }

    private func check() throws(FuzzFailure) {
        try requireEqual(table.liveCount, live.count, "live ids are counted")
        try require(Set(table.held.map(\.ticket)) == held && table.migrations == migrations, "what waits is counted")
        for (id, key) in live { try requireEqual(table.lookup(from: id), .live(key), "a live id is found") }
        for id in finished where live[id] == nil {
            try requireEqual(table.lookup(from: id), .finished, "an ended id is remembered (SM-F6)")
        }
        try requireEqual(
            table.nextDeadline, table.held.compactMap(\.deadline).min(), "the earliest deadline is the next")
        try requireEqual(table.isEmpty, live.isEmpty && held.isEmpty && migrations == 0, "an empty table is empty")
    }
}
