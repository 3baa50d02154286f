import Oxbow

/// B: listens, serves the one stream, and does what A says over the link.
struct DemoGuest: Sendable {
    let link: DemoLink
    /// This process, for the picture.
    let process: Int32

    /// Runs until A has the report. What goes wrong is told to A before it is thrown.
    func run() async throws {
        var messages = link.messages.makeAsyncIterator()
        guard case .start(let plan)? = await messages.next() else { throw DemoError.peerVanished }
        do {
            let identity = try PrivateKey.generate(.ed25519)
            try await withHost(identity: identity, configuration: plan.configuration) { host in
                try await serve(host, plan)
            }
        } catch {
            try? link.send(.failed("\(error)"))
            throw error
        }
    }

    private func serve(_ host: OxbowHost, _ plan: DemoPlan) async throws {
        let (sides, arrived) = AsyncStream<DemoSide>.makeStream()
        let isOver = Meter()
        host.handle(DemoSide.protocolID) { stream in
            arrived.yield(DemoSide(.b, plan, stream))
            // The stream lives as long as its handler.
            try await isOver.wait(for: 1)
        }
        let closings = DemoClosings(host)
        let addresses = try await Self.listen(host, plan.connections)
        try link.send(
            .ready(peer: host.id.description, addresses: addresses.map(\.description), process: process))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await closings.run() }
            defer {
                isOver.raise(to: 1)
                group.cancelAll()
            }
            try await obey(host, plan, addresses, closings, sides)
        }
    }

    /// One address for each connection that stands at once, IPv4 and IPv6 in turns where there is IPv6.
    private static func listen(_ host: OxbowHost, _ count: Int) async throws -> [Multiaddr] {
        var addresses: [Multiaddr] = []
        for slot in 0..<count {
            if !slot.isMultiple(of: 2), let address = try? await host.listen(on: Multiaddr("/ip6/::1/tcp/0")).first {
                addresses.append(address)
            } else {
                addresses += try await host.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")).prefix(1)
            }
        }
        return addresses
    }

    private func obey(
        _ host: OxbowHost, _ plan: DemoPlan, _ addresses: [Multiaddr], _ closings: DemoClosings,
        _ sides: AsyncStream<DemoSide>
    ) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            let current = DemoBox<DemoSide>()
            group.addTask {
                for await side in sides {
                    current.put(side)
                    try await transfer(side)
                    return false
                }
                return false
            }
            group.addTask {
                try await commands(host, plan, addresses, closings, current)
                return true
            }
            while let isFinished = try await group.next() {
                guard isFinished else { continue }
                group.cancelAll()
                return
            }
        }
    }

    private func transfer(_ side: DemoSide) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await side.send(DemoSource(seed: 0xB, size: side.plan.size)) }
            group.addTask { try await side.receive { try link.send(.progress($0)) } }
            try await group.waitForAll()
        }
        side.isThrough.raise(to: 1)
        try link.send(.arrived)
    }

    /// Does one command after the other. The end of the link before the last of them means that A is gone.
    private func commands(
        _ host: OxbowHost, _ plan: DemoPlan, _ addresses: [Multiaddr], _ closings: DemoClosings,
        _ current: DemoBox<DemoSide>
    ) async throws {
        for await message in link.messages {
            let side = try await current.value()
            switch message {
            case .move(let number, let threshold, let slot):
                let target = try connection(of: side, host, at: slot, addresses)
                try await side.move(host, at: threshold, to: target)
                try link.send(.moved(number: number))
            case .allow(let bytes):
                side.allowed.raise(to: bytes)
            case .finish:
                try await side.isThrough.wait(for: 1)
                try await closings.wait(for: plan.migrations)
                let left = host.peer(side.stream.peer)?.connections.count ?? 0
                try link.send(.report(side.report(connectionsLeft: left)))
                return
            default:
                throw DemoError.peerVanished
            }
        }
        throw DemoError.peerVanished
    }

    /// The newest connection at one of this host's addresses: the one before it is on its way out.
    private func connection(
        of side: DemoSide, _ host: OxbowHost, at slot: Int, _ addresses: [Multiaddr]
    ) throws -> Connection {
        guard addresses.indices.contains(slot) else { throw DemoError.connectionMissing("\(slot)") }
        let address = addresses[slot]
        let candidates = host.peer(side.stream.peer)?.connections ?? []
        let here = candidates.filter { (try? $0.path.localAddress?.appending(peer: host.id)) == address }
        guard let newest = here.max(by: { $0.id < $1.id }) else {
            throw DemoError.connectionMissing(address.description)
        }
        return newest
    }
}
