import OxbowCore
import OxbowSeeds
import OxbowSwarm
import Testing

/// The ledger beside a model that keeps a list of what is open and adds it up anew for each question: random operations
/// from fixed seeds, the same answers, the same sums, nothing left.
@Suite struct LedgerModelTests {
    @Test("Random operations: the ledger answers as the model does; its tables are empty at the end", arguments: 1...24)
    func random(seed: Int) {
        var run = Run(seed: UInt64(seed))
        for number in 1...600 {
            run.step()
            if number % 8 == 0 { #expect(run.difference == nil) }
        }
        #expect(run.refused > 50 && run.accepted > 150, "a run in which limits are reached and work is done")
        run.closeAll()
        #expect(run.ledger.scopeCount == 0 && run.ledger.connectionCount == 0 && run.ledger.streamCount == 0)
    }

    /// One connection or stream of the model.
    private struct Item {
        var usage: (resource: [Resource: Int], memory: Int)
        var scopes: Set<ResourceScope>
        var protocolID: ProtocolID?

        func amount(_ resource: Resource) -> Int {
            resource == .memory ? usage.memory : usage.resource[resource] ?? 0
        }
    }

    private struct Run {
        var generator: SplitMix64
        var ledger: ResourceLedger
        let limits: ResourceLimits
        var connections: [UInt64: Item] = [:]
        var peers: [UInt64: PeerID] = [:]
        var streams: [UInt64: (item: Item, connection: UInt64)] = [:]
        var next: UInt64 = 0
        var (accepted, refused) = (0, 0)

        let addresses = [
            "192.0.2.1", "192.0.2.2", "192.0.3.1", "2001:db8::1", "2001:db8:0:1::1", "127.0.0.1", "10.9.8.7",
        ]
        let protocols: [ProtocolID] = ["/a", "/b", "/c"]

        init(seed: UInt64) {
            generator = SplitMix64(seed: seed)
            var limits = ResourceLimits.unlimited
            limits.system = ScopeLimits(
                inboundConnections: 8, outboundConnections: 5, connections: 11, inboundStreams: 20, streams: 30,
                memory: 2_000)
            limits.allowlisted = ScopeLimits(connections: 2, streams: 6)
            limits.transient = ScopeLimits(inboundConnections: 4, streams: 9)
            limits.addresses = AddressLimits()
            limits.addresses.ip4 = [
                .init(prefixLength: 32, connections: 3, handshakes: 2),
                .init(prefixLength: 24, connections: 4, handshakes: 3),
            ]
            limits.addresses.ip6 = [.init(prefixLength: 48, connections: 2, handshakes: 1)]
            limits.peer = ScopeLimits(inboundConnections: 3, connections: 4, streams: 9, memory: 700)
            limits.peers[testPeer(1)] = ScopeLimits(connections: 1, memory: 400)
            limits.negotiations = ScopeLimits(inboundStreams: 3)
            limits.connection = ScopeLimits(streams: 6, memory: 500)
            limits.stream = ScopeLimits(memory: 120)
            limits.protocol = ScopeLimits(inboundStreams: 8, streams: 12, memory: 600)
            limits.protocols["/b"] = ScopeLimits(streams: 2)
            limits.protocolOfPeer = ScopeLimits(streams: 4)
            limits.allowedAddresses = [IPPrefix("10.0.0.0/8")!]
            limits.allowedPeers = [testPeer(2)]
            (limits.memoryPerConnection, limits.memoryPerStream) = (30, 10)
            self.limits = limits
            ledger = ResourceLedger(limits: limits)
        }

        // MARK: One operation

        mutating func step() {
            switch generator.next(13) {
            case 0, 1: openConnection()
            case 2, 3: authenticate()
            case 4, 5, 6: openStream()
            case 7, 8: assign()
            case 9: reserve()
            case 10: closeConnection()
            case 11: closeStream()
            default: releaseOrCloseStream()
            }
        }

        private mutating func openConnection() {
            let direction: ResourceDirection = generator.next(3) == 0 ? .outbound : .inbound
            let address = generator.next(4) == 0 ? nil : IPPrefix(addresses[generator.next(addresses.count)])
            let isAllowed = address.map { limits.allowedAddresses[0].contains($0) } ?? false
            next += 1
            var scopes: Set<ResourceScope> = [.connection(next), isAllowed ? .allowlisted : .system]
            if !isAllowed {
                scopes.insert(.transient)
                if direction == .inbound, let address, "\(address)" != "127.0.0.1" {
                    for block in address.isIPv6 ? limits.addresses.ip6 : limits.addresses.ip4 {
                        let prefix = address.shortened(to: block.prefixLength)
                        scopes.formUnion([.address(prefix), .handshakes(prefix)])
                    }
                }
            }
            let inbound = direction == .inbound
            let item = Item(
                usage: ([inbound ? .inboundConnections : .outboundConnections: 1, .connections: 1], 30), scopes: scopes)
            let number = next
            if check(
                fits(item, scopes),
                { (ledger) throws(ResourceRefusal) in
                    try ledger.open(connection: number, direction, from: address)
                })
            {
                connections[number] = item
            }
        }

        private mutating func authenticate() {
            guard let number = pick(connections.keys.filter { peers[$0] == nil }), var item = connections[number]
            else { return }
            let peer = testPeer(generator.next(4))
            var added: Set<ResourceScope> = [.peer(peer)]
            var stay = item.scopes.filter { $0.kind != .transient && $0.kind != .handshakes }
            if limits.allowedPeers.contains(peer), !stay.contains(.allowlisted) {
                added.insert(.allowlisted)
                stay = stay.filter { $0.kind != .system && $0.kind != .address }
            }
            if check(
                fits(item, added),
                { (ledger) throws(ResourceRefusal) in
                    try ledger.authenticated(connection: number, as: peer)
                })
            {
                item.scopes = stay.union(added)
                connections[number] = item
                peers[number] = peer
            }
        }

        private mutating func openStream() {
            guard let connection = pick(Array(peers.keys)), let peer = peers[connection],
                let owner = connections[connection]
            else { return }
            let direction: ResourceDirection = generator.next(2) == 0 ? .outbound : .inbound
            let protocolID = generator.next(3) == 0 ? protocols[generator.next(3)] : nil
            next += 1
            var scopes: Set<ResourceScope> = owner.scopes.filter { [.system, .allowlisted].contains($0.kind) }
            scopes.formUnion([.connection(connection), .peer(peer)])
            if let protocolID {
                scopes.formUnion([.protocol(protocolID), .protocolOfPeer(protocolID, peer)])
            } else {
                scopes.formUnion([.transient, .negotiations(peer)])
            }
            let inbound = direction == .inbound
            let item = Item(
                usage: ([inbound ? .inboundStreams : .outboundStreams: 1, .streams: 1], 10), scopes: scopes,
                protocolID: protocolID)
            let number = next
            if check(
                fits(item, scopes),
                { (ledger) throws(ResourceRefusal) in
                    try ledger.open(stream: number, direction, on: connection, for: protocolID)
                })
            {
                streams[number] = (item, connection)
            }
        }

        private mutating func assign() {
            guard let number = pick(Array(streams.keys)), let connection = streams[number]?.connection,
                var item = streams[number]?.item, let peer = item.scopes.lazy.compactMap(Self.peer).first
            else { return }
            let id = protocols[generator.next(3)]
            let added: Set<ResourceScope> = [.protocol(id), .protocolOfPeer(id, peer)]
            let isSame = item.protocolID == id
            if check(
                isSame || fits(item, added),
                { (ledger) throws(ResourceRefusal) in
                    try ledger.assign(stream: number, to: id)
                })
            {
                let left: Set<ResourceScope.Kind> = [.transient, .negotiations, .protocol, .protocolOfPeer]
                item.scopes = item.scopes.filter { !left.contains($0.kind) }.union(added)
                item.protocolID = id
                streams[number] = (item, connection)
            }
        }

        private static func peer(_ scope: ResourceScope) -> PeerID? {
            if case .peer(let peer) = scope { peer } else { nil }
        }

        private mutating func reserve() {
            let bytes = generator.next(150)
            if generator.next(2) == 0, let number = pick(Array(streams.keys)), let (item, connection) = streams[number]
            {
                let isFit = bytes == 0 || item.usage.memory + bytes <= limits.stream.memory
                var more = item
                more.usage = ([:], bytes)
                if check(
                    isFit && fits(more, item.scopes),
                    { (ledger) throws(ResourceRefusal) in
                        try ledger.reserve(memory: bytes, stream: number)
                    })
                {
                    more.usage = (item.usage.resource, item.usage.memory + bytes)
                    streams[number] = (more, connection)
                }
            } else if let number = pick(Array(connections.keys)), let item = connections[number] {
                var more = item
                more.usage = ([:], bytes)
                if check(
                    fits(more, item.scopes),
                    { (ledger) throws(ResourceRefusal) in
                        try ledger.reserve(memory: bytes, connection: number)
                    })
                {
                    connections[number]?.usage.memory += bytes
                }
            }
        }

        private mutating func releaseOrCloseStream() {
            guard let number = pick(Array(streams.keys)), let memory = streams[number]?.item.usage.memory else {
                return
            }
            let bytes = generator.next(memory - 10 + 1)
            ledger.release(memory: bytes, stream: number)
            streams[number]?.item.usage.memory -= bytes
        }

        private mutating func closeConnection() {
            guard let number = pick(Array(connections.keys)) else { return }
            connections[number] = nil
            peers[number] = nil
            ledger.close(connection: number)
            // Some streams outlive their connection in the books.
            for (key, value) in streams where value.connection == number && generator.next(2) == 0 {
                streams[key] = nil
                ledger.close(stream: key)
            }
        }

        private mutating func closeStream() {
            guard let number = pick(Array(streams.keys)) else { return }
            streams[number] = nil
            ledger.close(stream: number)
        }

        mutating func closeAll() {
            for number in connections.keys.sorted() { ledger.close(connection: number) }
            for number in streams.keys.sorted() { ledger.close(stream: number) }
        }

        // MARK: The model

        private mutating func pick(_ keys: [UInt64]) -> UInt64? {
            keys.isEmpty ? nil : keys.sorted()[generator.next(keys.count)]
        }

        private func used(_ resource: Resource, in scope: ResourceScope) -> Int {
            let items = Array(connections.values) + streams.values.map(\.item)
            return items.reduce(0) { $0 + ($1.scopes.contains(scope) ? $1.amount(resource) : 0) }
        }

        private func fits(_ item: Item, _ scopes: Set<ResourceScope>) -> Bool {
            scopes.allSatisfy { scope in
                let limit = limit(scope)
                return Resource.allCases.allSatisfy { resource in
                    let wanted = item.amount(resource)
                    return wanted == 0 || used(resource, in: scope) + wanted <= limit[resource]
                }
            }
        }

        private func limit(_ scope: ResourceScope) -> ScopeLimits {
            switch scope {
            case .system: limits.system
            case .allowlisted: limits.allowlisted
            case .transient: limits.transient
            case .address(let prefix): ScopeLimits(inboundConnections: block(prefix).connections)
            case .handshakes(let prefix): ScopeLimits(inboundConnections: block(prefix).handshakes)
            case .peer(let peer): limits.peers[peer] ?? limits.peer
            case .negotiations: limits.negotiations
            case .connection: limits.connection
            case .stream: limits.stream
            case .protocol(let id): limits.protocols[id] ?? limits.protocol
            case .protocolOfPeer(let id, _): limits.protocolsOfPeer[id] ?? limits.protocolOfPeer
            }
        }

        private func block(_ prefix: IPPrefix) -> AddressLimits.Block {
            let blocks = prefix.isIPv6 ? limits.addresses.ip6 : limits.addresses.ip4
            guard let block = blocks.first(where: { $0.prefixLength == prefix.length }) else {
                preconditionFailure("a block that has a limit")
            }
            return block
        }

        /// Lets the ledger do it, and compares its answer with the model's.
        private mutating func check(
            _ fits: Bool, _ body: (inout ResourceLedger) throws(ResourceRefusal) -> Void
        ) -> Bool {
            do throws(ResourceRefusal) {
                try body(&ledger)
                accepted += 1
                #expect(fits, "the ledger let in what the model refuses")
                return true
            } catch {
                refused += 1
                #expect(!fits, "the ledger refused (\(error)) what fits")
                #expect(error.limit < error.used + error.requested)
                if error.scope.kind != .stream {
                    #expect(error.limit == limit(error.scope)[error.resource])
                    #expect(error.used == used(error.resource, in: error.scope))
                }
                return false
            }
        }

        /// Where the ledger's books and the model's differ.
        var difference: String? {
            var scopes: Set<ResourceScope> = [.system, .allowlisted, .transient]
            for item in Array(connections.values) + streams.values.map(\.item) { scopes.formUnion(item.scopes) }
            for scope in scopes {
                let books = ledger.used(scope)
                for resource in Resource.allCases where books[resource] != used(resource, in: scope) {
                    return "\(resource) of \(scope): \(books[resource]) and \(used(resource, in: scope))"
                }
            }
            let isSame = ledger.connectionCount == connections.count && ledger.streamCount == streams.count
            return isSame ? nil : "\(ledger.connectionCount) connections, \(ledger.streamCount) streams"
        }
    }
}

extension SplitMix64 {
    fileprivate mutating func next(_ bound: Int) -> Int {
        Int(next() % UInt64(bound))
    }
}
