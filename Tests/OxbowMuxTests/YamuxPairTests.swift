import OxbowCore
import OxbowMux
import OxbowSeeds
import Testing

@Suite struct YamuxPairTests {
    /// Random use of both ends, over a wire that cuts anywhere; then all is let through and must have arrived.
    @Test(arguments: 0..<24 as Range<UInt64>) func everythingArrivesInOrder(_ seed: UInt64) throws {
        var randomness = SplitMix64(seed: seed)
        var configuration = YamuxConfiguration()
        configuration.maximumFramePayload = [2000, 9000, 65_384].randomElement(using: &randomness) ?? 100
        configuration.acceptBacklog = 8
        configuration.maximumInboundStreams = 12
        configuration.sessionWindow = 20 * initialWindow
        // A fair tester resets and refuses more often than a fair peer.
        configuration.resets.count = 1_000_000
        configuration.streamErrors.count = 1_000_000
        var pair = Pair(client: configuration, server: configuration)
        for _ in 0..<600 {
            try step(&pair, &randomness)
            pair.client.session.assertInvariants()
            pair.server.session.assertInvariants()
        }
        try finishAll(&pair)
    }

    private func open(_ pair: inout Pair) throws -> YamuxStreamID {
        let id = pair.client.open(at: pair.now)
        return try #require(id)
    }

    private func step(_ pair: inout Pair, _ randomness: inout SplitMix64) throws {
        pair.now = pair.now + .milliseconds(Int.random(in: 0..<40, using: &randomness))
        let length = [1, 7, 12, 13, 3000, 200_000].randomElement(using: &randomness) ?? 1
        let room = [0, 1, 50, 4000, 65_384].randomElement(using: &randomness) ?? 1
        switch Int.random(in: 0..<8, using: &randomness) {
        case 0...1: try pair.carryToServer(length, frames: 40, maximumPayload: room)
        case 2...3: try pair.carryToClient(length, frames: 40, maximumPayload: room)
        case 4...5: act(&pair.client, at: pair.now, &randomness)
        default: act(&pair.server, at: pair.now, &randomness)
        }
        try pair.client.session.tick(at: pair.now)
        try pair.server.session.tick(at: pair.now)
    }

    private func act(_ endpoint: inout Endpoint, at now: Instant, _ randomness: inout SplitMix64) {
        let ids = endpoint.writing.keys.sorted()
        guard let id = ids.randomElement(using: &randomness) else {
            _ = endpoint.open(at: now)
            return
        }
        switch Int.random(in: 0..<20, using: &randomness) {
        case 0...2: _ = endpoint.open(at: now)
        case 3...9: endpoint.write(id, [1, 100, 60_000, 400_000].randomElement(using: &randomness) ?? 1)
        case 10...16:
            endpoint.consume(id, atMost: [1, 50_000, .max].randomElement(using: &randomness) ?? 1, at: now)
        case 17...18: endpoint.finish(id)
        default: endpoint.reset(id, code: UInt32.random(in: 0...1, using: &randomness))
        }
    }

    private func finishAll(_ pair: inout Pair) throws {
        try pair.settle()
        for id in pair.client.writing.keys.sorted() { pair.client.finish(id) }
        for id in pair.server.writing.keys.sorted() { pair.server.finish(id) }
        try pair.settle()
        #expect(pair.client.session.isIdle && pair.server.session.isIdle)
        let broken = pair.client.broken.union(pair.server.broken)
        let ids = Set(pair.client.writing.keys).subtracting(broken)
        #expect(!broken.isEmpty || !ids.isEmpty)
        for id in ids {
            #expect(pair.client.closed.contains(id) && pair.server.closed.contains(id))
            for (sender, receiver) in [(pair.client, pair.server), (pair.server, pair.client)] {
                let writing = try #require(sender.writing[id])
                #expect(writing.framed == writing.written)
                #expect(
                    receiver.reading[id]
                        == Endpoint.Reading(delivered: writing.written, consumed: writing.written, ended: true))
            }
        }
    }

    /// Both ends of many streams full at once, windows growing on all of them (rust-libp2p #5410): none stands still.
    @Test func bulkBothWaysOnManyStreamsEnds() throws {
        var configuration = YamuxConfiguration()
        configuration.sessionWindow = 12 * initialWindow
        var pair = Pair(client: configuration, server: configuration)
        let size = 3_000_000
        for index in 0..<8 {
            let opened = index % 2 == 0 ? pair.client.open(at: .zero) : pair.server.open(at: .zero)
            let id = try #require(opened)
            for _ in 0..<2 {
                try pair.carryToServer()
                try pair.carryToClient()
            }
            pair.client.write(id, size)
            pair.server.write(id, size)
            pair.client.finish(id)
            pair.server.finish(id)
        }
        var rounds = 0
        while !(pair.client.session.isIdle && pair.server.session.isIdle) {
            rounds += 1
            try #require(rounds < 1000, "it stands still")
            pair.now = pair.now + .milliseconds(10)
            try pair.carryToServer(500_000)
            try pair.carryToClient(500_000)
            for id in pair.client.reading.keys.sorted() {
                pair.client.consume(id, atMost: 100_000, at: pair.now)
                pair.server.consume(id, atMost: 100_000, at: pair.now)
            }
        }
        for endpoint in [pair.client, pair.server] {
            #expect(endpoint.broken.isEmpty && endpoint.closed.count == 8)
            #expect(endpoint.reading.values.allSatisfy { $0.delivered == size && $0.ended })
        }
    }

    /// A reset by either side after each number of transferred bytes leaves both ends clean.
    @Test(arguments: [true, false]) func resetAtEachTime(_ byClient: Bool) throws {
        for cut in 0..<140 {
            var pair = Pair(client: .quiet, server: .quiet)
            let id = try open(&pair)
            pair.client.write(id, 60)
            pair.client.finish(id)
            try pair.carryToServer(cut, maximumPayload: 20)
            pair.server.write(id, 30)
            try pair.carryToClient(cut / 2, maximumPayload: 20)
            if byClient { pair.client.reset(id, code: 7) } else { pair.server.reset(id, code: 7) }
            try pair.settle()
            if pair.client.broken.contains(id) && pair.server.writing[id] == nil {
                // Its SYN was still unsent.
                #expect(byClient && cut == 0)
            }
            pair.server.finish(id)
            try pair.settle()
            for endpoint in [pair.client, pair.server] {
                #expect(!endpoint.session.isOpen(id) || !byClient && cut < 12)
                #expect(endpoint.session.failure == nil)
                endpoint.session.assertInvariants()
            }
        }
    }

    @Test func goAwayLetsOpenStreamsEnd() throws {
        var pair = Pair()
        let id = try open(&pair)
        pair.client.write(id, 1000)
        try pair.settle()
        pair.server.session.goAway()
        let late = try open(&pair)
        try pair.carryToServer()
        try pair.carryToClient()
        #expect(pair.client.goAwayCode == YamuxGoAwayCode.normal)
        #expect(pair.client.session.remoteGoAway == YamuxGoAwayCode.normal)
        pair.server.write(id, 500_000)
        pair.client.finish(id)
        pair.server.finish(id)
        try pair.settle()
        #expect(pair.client.broken == [late] && pair.client.closed == [id])
        #expect(pair.client.reading[id]?.delivered == 500_000)
        #expect(pair.client.session.isIdle && pair.server.session.isIdle)
    }

    @Test func aFullBacklogOpensAgain() throws {
        var pair = Pair()
        while pair.client.open(at: .zero) != nil {}
        #expect(pair.client.session.streamCount == 256)
        try pair.settle()
        #expect(pair.server.session.inboundStreamCount == 256)
        while pair.client.open(at: .zero) != nil {}
        try pair.settle()
        #expect(pair.server.session.inboundStreamCount == 512 && pair.client.broken.isEmpty)
    }
}
