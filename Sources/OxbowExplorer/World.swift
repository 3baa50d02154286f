package import OxbowCore
package import OxbowMigration

/// Two of a kind, by side. Inline, where an array would be one more thing to copy for each state.
package struct Pair<Element: Hashable & Sendable>: Hashable, Sendable {
    package var first: Element
    package var second: Element

    init(_ first: Element, _ second: Element) {
        (self.first, self.second) = (first, second)
    }

    package subscript(side: Int) -> Element {
        _read { if side == 0 { yield first } else { yield second } }
        _modify { if side == 0 { yield &first } else { yield &second } }
    }
}

/// What travels on a connection, in order.
package struct Frame: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable {
        /// The opening of a labelled stream, and its answer.
        case label, negotiated
        /// The opening of a target, and its answer.
        case migrate, ack, denial
        case byte, fin, reset, credit
    }

    package let wire: UInt8
    package let kind: Kind
    /// The byte, the id, or how much credit.
    package var value: UInt8 = 0
    /// What a Migrate names.
    package var from: UInt8 = 0
}

/// A connection: two FIFO queues of frames.
package struct Connection: Hashable, Sendable {
    package let link: Int
    /// In flight towards each side.
    package var toward = Pair<[Frame]>([], [])
    /// What is sent from now on doesn't arrive.
    package var isLost = false
    /// Nobody is told of the loss before every deadline has passed.
    package var isSilent = false
    /// Whether each side has yet to learn of the loss.
    package var owesLoss = Pair(false, false)
}

/// An underlying stream, as a multiplexer keeps it: for each end what became of it, and how much it may send.
package struct Wire: Hashable, Sendable {
    package struct End: Hashable, Sendable {
        package enum Stage: Hashable, Sendable {
            /// The first frame hasn't arrived.
            case unheard
            /// A Migrate that can't be judged yet (SM-F5, SM-F6).
            case held
            /// It is a leg of this logical stream.
            case attached(Int)
            /// Given up in order: FIN is out, what comes in is discarded.
            case abandoned
            /// The third peer's: nothing stands behind it.
            case raw(mustStayUnknown: Bool)
            case gone
        }

        package var stage = Stage.unheard
        package var isFINSent = false
        package var isFINRead = false
        package var window: UInt8 = 0
    }

    package let connection: Int
    package var ends: Pair<End>

    var isGone: Bool { ends.first.stage == .gone && ends.second.stage == .gone }
}

/// One end of a logical stream: its machine, its application, and what a driver has to remember.
package struct Side: Hashable, Sendable {
    package var machine: MigrationMachine
    package var attempts: Int
    /// False until the peer's Label has arrived.
    package var isOpen = true

    // The application.
    package var written = 0
    package var received = 0
    package var isClosed = false
    package var hasEnd = false
    package var isAborted = false

    // The driver.
    /// How much of what was written is in frames.
    package var framed = 0
    /// What arrived and the application hasn't taken, and how much of it came on earlier legs.
    package var unread = 0
    package var stale = 0
    package var source: Int?
    package var target: Int?
    package var yielded: Int?
    /// The attempt whose target is about to be opened.
    package var unopened: UInt64?
    /// Bytes of the target that wait for the source's FIN (SM-M6).
    package var parked: [UInt8] = []
    /// Migrations that the table counts as under way.
    package var counted = 0
    package var completions = 0
    /// The source of the last migration, and the part that was played in it.
    package var left: Left?

    // What only mutants use.
    var hasSentEnd = false
    var hasEndEarly = false
    var wasDenied = false
    var withheldFIN = false
    var unarmed: HeldMigrate?
    var beforeAccept: MigrationMachine?

    package struct Left: Hashable, Sendable {
        package let wire: Int
        package let role: MigrationRole
    }

    package func wire(_ leg: Leg) -> Int? {
        switch leg {
        case .source: source
        case .target: target
        case .yielded: yielded
        }
    }

    func leg(of wire: Int) -> Leg? {
        if source == wire { return .source }
        if target == wire { return .target }
        return yielded == wire ? .yielded : nil
    }

    mutating func forget(_ leg: Leg) {
        switch leg {
        case .source: source = nil
        case .target: target = nil
        case .yielded: yielded = nil
        }
    }
}

/// What two peers share: each one's table of the other's streams, and how many underlying streams they opened.
package struct Link: Hashable, Sendable {
    package var tables: Pair<LabelTable>
    var opened = 0
    /// The newest id that each side gave.
    var newest = Pair<UInt64?>(nil, nil)
}

/// A logical stream between the two peers of a link.
package struct Logical: Hashable, Sendable {
    package let link: Int
    package var sides: Pair<Side>
}

/// Real machines and tables, the drivers and applications around them, and the connections between them.
///
/// A value: a walk copies it, applies an event to the copy and hashes the result. Link 0 is between the two peers of a
/// plan; link 1, if there is an intruder, between the lower of them and the third peer, whose stream is the last one.
package struct World: Hashable, Sendable {
    package var streams: [Logical] = []
    package var links: [Link] = []
    package var connections: [Connection] = []
    package var wires: [Wire] = []
    package var faultsLeft: Int
    package var denialsLeft: Int
    package var actsLeft: Int
    /// Events take no time; only ``Event/elapse`` turns the clock.
    package var now = Instant.zero

    package init(_ plan: Plan) {
        faultsLeft = plan.faults
        denialsLeft = plan.denials
        actsLeft = plan.intruder?.acts ?? 0
        addLink(plan, firstID: 0)
        for _ in 0..<plan.streams { addStream(plan, link: 0, attempts: plan.attempts) }
        guard let intruder = plan.intruder else { return }
        addLink(plan, firstID: intruder.firstID)
        addStream(plan, link: 1, attempts: [0, 0])
    }

    private mutating func addLink(_ plan: Plan, firstID: Int) {
        var configuration = MigrationConfiguration()
        if plan.mutant == .finishedForgotten { configuration.maximumRemembered = 0 }
        let tables = [true, false].map { isLower in
            LabelTable(isLowerPeer: isLower, start: UInt64(firstID / 2), configuration: configuration)
        }
        links.append(Link(tables: Pair(tables[0], tables[1])))
    }

    /// A stream that the lower peer opened. Unless the plan has the opening walked too, both ends know of it.
    private mutating func addStream(_ plan: Plan, link: Int, attempts: [Int]) {
        let index = streams.count
        let opens = plan.opens && link == 0
        let id = (try? links[link].tables.first.assign(to: StreamKey(rawValue: UInt64(index)))) ?? 0
        links[link].newest.first = id
        let wire = addWire(plan, link: link, opener: 0, stage: .attached(index))
        let sides = [0, 1].map { side in
            let isLower = side == 0 && ![.glareBothAccept, .yieldedAckIgnored].contains(plan.mutant)
            let machine = MigrationMachine(
                id: id, isLowerPeer: isLower, isNegotiated: !opens || side == 1, configuration: .retryingAtOnce)
            var end = Side(machine: machine, attempts: attempts[side])
            end.isOpen = !opens || side == 0
            end.source = end.isOpen ? wire : nil
            return end
        }
        streams.append(Logical(link: link, sides: Pair(sides[0], sides[1])))
        guard opens else {
            _ = links[link].tables.second.register(id, for: StreamKey(rawValue: UInt64(index)))
            wires[wire].ends.second.stage = .attached(index)
            return
        }
        connections[wires[wire].connection].toward.second.append(
            Frame(wire: UInt8(wire), kind: .label, value: UInt8(id)))
    }

    /// The next underlying stream of a link, on the connection that the plan has for it.
    package mutating func addWire(_ plan: Plan, link: Int, opener: Int, stage: Wire.End.Stage) -> Int {
        let connection = connection(for: plan, link: link) ?? connections.count
        links[link].opened += 1
        if connection == connections.count { connections.append(Connection(link: link)) }
        let fresh = Wire.End(window: UInt8(plan.window))
        var wire = Wire(connection: connection, ends: Pair(fresh, fresh))
        wire.ends[opener].stage = stage
        // What is opened on a connection that is gone already, the other side never hears of.
        if connections[connection].isLost { wire.ends[1 - opener] = Wire.End(stage: .gone) }
        wires.append(wire)
        return wires.count - 1
    }

    /// The connection of a link's next underlying stream, unless that is the first on it.
    func connection(for plan: Plan, link: Int) -> Int? {
        let place = plan.topology.connection(ofStream: links[link].opened)
        let own = connections.indices.filter { connections[$0].link == link }
        return place < own.count ? own[place] : nil
    }

    // MARK: Short ways to a part

    subscript(spot: Spot) -> Side {
        _read { yield streams[spot.stream].sides[spot.side] }
        _modify { yield &streams[spot.stream].sides[spot.side] }
    }

    func link(of wire: Int) -> Int { connections[wires[wire].connection].link }

    func link(of spot: Spot) -> Int { streams[spot.stream].link }

    package var spots: [Spot] {
        streams.indices.flatMap { stream in [0, 1].map { Spot(stream: stream, side: $0) } }
    }
}

extension MigrationConfiguration {
    /// A side asks again whenever it likes: the walk bounds attempts by itself, and a wait would only hide interleavings.
    fileprivate static var retryingAtOnce: Self {
        var configuration = MigrationConfiguration()
        (configuration.retryDelay, configuration.maximumFailures) = (.zero, nil)
        return configuration
    }
}
