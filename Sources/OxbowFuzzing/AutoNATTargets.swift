import OxbowCore
import OxbowProtocols
import OxbowWire

extension FuzzTarget {
    static let autoNAT = [
        FuzzTarget(
            "autonat", "clients and servers of both versions, and the dial-back", maximumLength: 800,
            seeds: autoNATSeeds, autoNATStreams),
        FuzzTarget(
            "autonat-client", "version 2: messages, nonces and ends in any order", maximumLength: 300,
            seeds: { [[0, 3, 200, 0, 200, 1, 3], [0, 1, 0, 8, 0, 3, 200, 0, 200], [2, 2, 0, 3, 200, 0, 100, 4]] },
            autoNATClient),
        FuzzTarget(
            "autonat-limits", "requests of several clients at one server, and time", maximumLength: 256,
            seeds: { [scheduleSeed(3), scheduleSeed(7)] }, autoNATLimits),
    ]

    private static let own = [FuzzAddresses.all[0], FuzzAddresses.all[15]]
    private static let peer = FuzzKeys.second.peerID
    private static let observed = try? Multiaddr("/ip4/8.8.8.8/tcp/1")

    private static func autoNATStreams(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let kind = input.int(below: 6)
        let transcript = try feedInPieces(input.rest(), outputLimit: { 64 * $0 + 131_072 }) {
            let box = AutoNATBox(kind)
            return { input, transcript in box.step(&input, &transcript) }
        }
        return transcript.hasFailed || (transcript.end == nil && transcript.steps.isEmpty) ? .refused : .accepted
    }

    /// One of the machines that read a stream of AutoNAT.
    private final class AutoNATBox {
        let kind: Int
        var first = AutoNATv1Client(peer: FuzzKeys.first.peerID, addresses: own)
        var second = AutoNATv2Client(addresses: own, nonce: 7)
        var firstServer = AutoNATv1Server(peer: peer, observed: observed, policy: ReachableAddressPolicy())
        var secondServer = AutoNATv2Server(observed: observed, policy: ReachableAddressPolicy(), dialData: 30_000)
        var reader = AutoNATDialBackReader()
        var writer = AutoNATDialBackWriter()

        init(_ kind: Int) { self.kind = kind }

        func step(_ input: inout ArraySlice<UInt8>, _ transcript: inout Transcript) -> Bool {
            do throws(AutoNATError) {
                switch kind {
                case 0: if let answer = try first.receive(&input) { transcript.finish(answer) }
                case 1: return try client(&input, &transcript)
                case 2:
                    let step = try firstServer.receive(&input)
                    if step != .needMoreInput { transcript.finish(step) }
                case 3: return try server(&input, &transcript)
                case 4: if let nonce = try reader.receive(&input) { transcript.finish(nonce) }
                default: if try writer.receive(&input) { transcript.finish("delivered") }
                }
            } catch { transcript.fail(error) }
            return false
        }

        private func client(
            _ input: inout ArraySlice<UInt8>, _ transcript: inout Transcript
        ) throws(AutoNATError) -> Bool {
            let step = try second.receive(&input)
            switch step {
            case .needMoreInput: return false
            case .send(let messages):
                transcript.sent += messages.flatMap { $0 }
                return true
            case .awaitDialBack, .done: transcript.finish(step)
            }
            return false
        }

        private func server(
            _ input: inout ArraySlice<UInt8>, _ transcript: inout Transcript
        ) throws(AutoNATError) -> Bool {
            let step = try secondServer.receive(&input)
            switch step {
            case .needMoreInput: return false
            case .demand(let bytes):
                transcript.sent += bytes
                transcript.steps.append("demand")
                return true
            case .dial, .respond: transcript.finish(step)
            }
            return false
        }
    }

    private static func autoNATSeeds() -> [[UInt8]] {
        let addresses = FuzzAddresses.all.map(\.binary)
        let data = AutoNATv2Message.dialData([UInt8](repeating: 0, count: 120)).encodedDelimited()
        func response(_ status: UInt64, _ index: UInt64, _ dial: UInt64) -> [UInt8] {
            AutoNATv2Message.dialResponse(AutoNATv2Response(status: status, index: index, dialStatus: dial))
                .encodedDelimited()
        }
        return [
            [0] + AutoNATv1Message.response(status: 0, address: own[0].binary).encodedDelimited(),
            [0] + AutoNATv1Message.response(status: 100, address: nil).encodedDelimited(),
            [1] + AutoNATv2Message.dialDataRequest(index: 0, count: 4_097).encodedDelimited() + response(200, 0, 100),
            [1] + response(200, 1, 200), [1] + response(100, 0, 0),
            [2] + AutoNATv1Message.dial(peer: peer.multihash, addresses: addresses).encodedDelimited(),
            [3] + AutoNATv2Message.dialRequest(addresses: addresses, nonce: 5).encodedDelimited() + data,
            [3] + AutoNATv2Message.dialRequest(addresses: [addresses[15]], nonce: 5).encodedDelimited() + data + data,
            [4] + AutoNATDialBack(nonce: 7).encodedDelimited(), [5] + AutoNATDialBackResponse().encodedDelimited(),
        ]
    }

    // MARK: Orders of events

    /// What a server says is believed only as far as a nonce was shown here.
    private static func autoNATClient(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var client = AutoNATv2Client(addresses: own, nonce: 7, maximumDialData: 10_000)
        var isShown = false
        var answer: AutoNATAnswer?
        while !input.isEmpty, answer == nil {
            let step: AutoNATv2Client.Step?
            switch input.int(below: 5) {
            case 0:
                let nonce: UInt64 = input.int(below: 4) == 0 ? 8 : 7
                let isWanted = client.expects(nonce: nonce)
                step = client.receiveDialBack(nonce: nonce, at: input.bool() ? observed : nil)
                try requireEqual(step != nil, isWanted, "a nonce is taken once, and no other")
                isShown = isShown || isWanted
            case 4: step = .done(client.giveUp())
            case let kind:
                let number = { (input: inout FuzzInput) in UInt64(input.byte()) }
                let message: AutoNATv2Message =
                    kind == 1
                    ? .dialDataRequest(index: number(&input), count: number(&input) << (input.int(below: 64)))
                    : .dialResponse(
                        AutoNATv2Response(
                            status: number(&input), index: number(&input), dialStatus: number(&input)))
                var bytes = (kind == 2 ? input.part() : message.encodedDelimited())[...]
                guard let taken = try? client.receive(&bytes) else { return .refused }
                step = taken
            }
            switch step {
            case .done(let done): answer = done
            case .send(let messages):
                try require(messages.reduce(0) { $0 + $1.count } <= 12_400, "no more is paid than is allowed")
            case .awaitDialBack: try require(!isShown, "nobody waits for a nonce that is here")
            case .needMoreInput, nil: break
            }
        }
        if case .reachable(let address, let isProved) = answer {
            try require(
                isShown && isProved && own.contains(address), "an address is reachable when the nonce was shown")
        }
        return answer == nil ? .refused : .accepted
    }

    private static func autoNATLimits(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var limits = AutoNATServerLimits()
        (limits.concurrentRequests, limits.requestsPerMinute, limits.rememberedClients) = (3, 20, 2)
        (limits.requestsPerMinutePerPeer, limits.foreignDialsPerMinute) = (6, 4)
        var limiter = AutoNATLimiter(limits)
        let peers = FuzzKeys.peerIDs
        var running: [PeerID] = []
        var now = Instant.zero
        var (served, dials) = (0, 0)
        while !input.isEmpty {
            switch input.int(below: 6) {
            case 0, 1:
                let peer = input.choice(peers)
                guard limiter.begin(peer, from: NetworkGroup(FuzzAddresses.any(&input)), at: now) else { break }
                running.append(peer)
                served += 1
            case 2, 3:
                guard !running.isEmpty else { break }
                limiter.end(running.remove(at: input.int(below: running.count)))
            case 4: dials += limiter.takeForeignDial(at: now) ? 1 : 0
            default: now = now + .milliseconds(input.int(below: 20_000))
            }
            try requireEqual(limiter.runningRequests, running.count, "requests are counted")
            try require(running.count <= limits.concurrentRequests, "requests are bounded")
            let most = peers.map { peer in running.count { $0 == peer } }.max() ?? 0
            try require(most <= limits.concurrentRequestsPerPeer, "requests of one client are bounded")
            let minutes = Double(now.nanoseconds) / 60e9 + 1
            try require(Double(served) <= 20 * minutes + 1 && Double(dials) <= 4 * minutes + 1, "rates hold")
        }
        return .accepted
    }
}
